"""Text from templates."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import marshal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snnc.compiler.tools.cache import cache_folder

if TYPE_CHECKING:
    import jinja2
    from jinja2.bccache import Bucket

__all__ = ["page_environment", "render"]


def render(package: str, template: str, facts: Mapping[str, Any]) -> str:
    """The template of that file name in a package's folder, filled in; a missing fact is an error."""
    return _environment(package).get_template(template).render(facts)


@functools.cache
def _environment(package: str) -> jinja2.Environment:
    # Not needed where a command stops early.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and Python, from names that were checked
        bytecode_cache=_translated(),
    )


@functools.cache
def page_environment(package: str) -> jinja2.Environment:
    """The templates of HTML pages in a package's folder; what is filled in is text, never markup."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        undefined=jinja2.StrictUndefined,
        autoescape=True,  # names come from files
        bytecode_cache=_translated(),
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _translated() -> jinja2.BytecodeCache | None:
    """Where templates are kept once they are Python: to translate them takes a tenth of a small network's compilation.

    None where nothing can be kept. A file that is not whole, of this text and of this Python is passed over.
    """
    import jinja2
    from jinja2.bccache import bc_magic

    folder = cache_folder() / "templates"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None

    def head(bucket: Bucket, code: bytes) -> bytes:
        return b"%b %b %b\n" % (bc_magic, bucket.checksum.encode(), hashlib.sha256(code).hexdigest().encode())

    class Kept(jinja2.BytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            with contextlib.suppress(OSError):
                found = (folder / bucket.key).read_bytes()
                code = found[len(head(bucket, b"")) :]
                if found == head(bucket, code) + code:
                    bucket.code = marshal.loads(code)

        def dump_bytecode(self, bucket: Bucket) -> None:
            code = marshal.dumps(bucket.code)
            with contextlib.suppress(OSError):  # a disk may be full: it is only a cache
                (folder / bucket.key).write_bytes(head(bucket, code) + code)

    return Kept()
