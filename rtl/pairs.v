// Beside primitives.v, for cores with a memory that two units share.

// Read-only memory in block RAM, read at two ports. Data of the address at a rising edge is there after that edge.
module snnc_rom_pair #(
    parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS_BITS = 1, parameter FILE = ""
) (
    input wire clk,
    input wire [ADDRESS_BITS-1:0] address_a, output reg [WIDTH-1:0] data_a,
    input wire [ADDRESS_BITS-1:0] address_b, output reg [WIDTH-1:0] data_b
);
    (* ram_style = "block", rom_style = "block" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    generate if (FILE != "") initial $readmemh(FILE, memory); endgenerate
    always @(posedge clk) data_a <= memory[address_a];
    always @(posedge clk) data_b <= memory[address_b];
endmodule
