"""``.nir`` files: networks in the Neuromorphic Intermediate Representation (Pedersen et al., Nat. Commun. 15, 2024)."""

from snnc.compiler.formats.nir.reader import NIR, import_nir, nir_network, read_nir

__all__ = ["NIR", "import_nir", "nir_network", "read_nir"]
