"""What the compiler writes: Verilog, memory images, models and reports."""
