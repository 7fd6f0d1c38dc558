// The only Verilog of the core that is written by hand: memories whose contents come from files, so that one design
// serves every network of the same plan. Paths are relative to the build folder; tools are run there.

// Read-only memory in block RAM. Data of the address at a rising edge is there after that edge.
module snnc_rom_block #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1, parameter FILE = ""
) (
    input wire clk, input wire [ADDRESS_BITS-1:0] address, output reg [WIDTH-1:0] data
);
    (* ram_style = "block", rom_style = "block" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    generate if (FILE != "") initial $readmemh(FILE, memory); endgenerate
    always @(posedge clk) data <= memory[address];
endmodule

// Read-only memory as logic with a register behind it; the same timing.
module snnc_rom_logic #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1, parameter FILE = ""
) (
    input wire clk, input wire [ADDRESS_BITS-1:0] address, output reg [WIDTH-1:0] data
);
    (* ram_style = "logic", rom_style = "logic" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    generate if (FILE != "") initial $readmemh(FILE, memory); endgenerate
    always @(posedge clk) data <= memory[address];
endmodule

// Constants as logic, read in the same cycle.
module snnc_lookup #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1, parameter FILE = ""
) (
    input wire [ADDRESS_BITS-1:0] address, output wire [WIDTH-1:0] data
);
    (* ram_style = "logic", rom_style = "logic" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    generate if (FILE != "") initial $readmemh(FILE, memory); endgenerate
    assign data = memory[address];
endmodule

// Block RAM with one write and one read port. What a read of the word being written gives is not to be used: engines
// never do, and synthesis, told so, adds no registers and multiplexers to define it.
module snnc_ram_block #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1
) (
    input wire clk,
    input wire read, input wire [ADDRESS_BITS-1:0] read_address, output reg [WIDTH-1:0] read_data,
    input wire write, input wire [ADDRESS_BITS-1:0] write_address, input wire [WIDTH-1:0] write_data
);
    (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    always @(posedge clk) if (read) read_data <= memory[read_address];
    always @(posedge clk) if (write) memory[write_address] <= write_data;
endmodule

// One block of single-port RAM that no bitstream can initialise: written in one phase, read in another. Data of the
// address at a rising edge is there after that edge; a write leaves it as it was, which is what the block does.
module snnc_ram_huge #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1
) (
    input wire clk, input wire [ADDRESS_BITS-1:0] address, output reg [WIDTH-1:0] data,
    input wire write, input wire [WIDTH-1:0] write_data
);
    (* ram_style = "huge" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    always @(posedge clk)
        if (write) memory[address] <= write_data;
        else data <= memory[address];
endmodule
