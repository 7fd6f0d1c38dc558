"""One file per command of the compiler; the table is `snnc.compiler.cli.COMMANDS`."""
