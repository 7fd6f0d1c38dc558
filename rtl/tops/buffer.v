
// A frame that has come, the results of a sample, and what the board says of itself, a byte each. Nothing is read in the
// cycle in which it is written.
module snnc_uart_buffer #(
    parameter DEPTH = 1, parameter ADDRESS_BITS = 1,
    parameter FIRST = 0, parameter BYTES = 1, parameter [8*BYTES-1:0] CONTENT = 0
) (
    input wire clk,
    input wire [ADDRESS_BITS-1:0] read_address, output reg [7:0] read_data,
    input wire write, input wire [ADDRESS_BITS-1:0] write_address, input wire [7:0] write_data
);
    (* ram_style = "block", no_rw_check *) reg [7:0] memory [0:DEPTH-1];
    integer place;
    initial for (place = 0; place < BYTES; place = place + 1) memory[FIRST + place] = CONTENT[8*place +: 8];
    always @(posedge clk) read_data <= memory[read_address];
    always @(posedge clk) if (write) memory[write_address] <= write_data;
endmodule
