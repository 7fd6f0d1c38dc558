"""Networks made elsewhere: one vocabulary for what other files and libraries mean, and one way to a graph.

A reader (`snnc.compiler.formats.nir`) or an importer of modules (`snnc.distill.importers`) says what it found in the
words of `nodes`: discrete equations, with whatever the source leaves open filled in from `assumptions`. `build` makes a
graph of it, or says by name what cannot be.
"""
