"""The emitted Verilog in Verilator: the benches, and what drives and reads them."""
