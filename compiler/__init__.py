"""The compiler: student.pt in; integer model, plan, Verilog, memory images and reports out."""

__all__ = ["__version__"]

__version__ = "0.2.0.dev0"
