// Beside primitives.v, for cores that multiply in a chip's multipliers: what they do. Synthesis gets a family's own
// blocks instead (products_ice40.v, products_ecp5.v).
`ifndef YOSYS

// Two sums of products, each of a signed weight and an unsigned value that both have. Registers stand before and behind
// the multipliers; `adds` adds what came behind them at the last edge, `clear` sets the sums to 0 instead. How many lanes
// share a multiplier changes no sum.
// verilator lint_off UNUSEDPARAM
module snnc_multiply_pair #(
    parameter WEIGHT_BITS = 1, parameter VALUE_BITS = 1, parameter SUM_BITS = 1, parameter LANES_EACH = 2
) (
    input wire clk,
    input wire signed [WEIGHT_BITS-1:0] weight_a, input wire signed [WEIGHT_BITS-1:0] weight_b,
    input wire [VALUE_BITS-1:0] value, input wire adds, input wire clear,
    output wire [SUM_BITS-1:0] sum_a, output wire [SUM_BITS-1:0] sum_b
);
    wire signed [7:0] wide_a = weight_a, wide_b = weight_b;
    wire [7:0] factor = value;
    reg signed [7:0] given_a, given_b;
    reg [7:0] by;
    reg signed [15:0] product_a, product_b, total_a, total_b;
    always @(posedge clk) begin
        given_a <= wide_a; given_b <= wide_b; by <= factor;
        product_a <= given_a * $signed({1'b0, by});
        product_b <= given_b * $signed({1'b0, by});
        if (clear) begin total_a <= 16'b0; total_b <= 16'b0; end
        else if (adds) begin total_a <= total_a + product_a; total_b <= total_b + product_b; end
    end
    assign sum_a = total_a[SUM_BITS-1:0];
    assign sum_b = total_b[SUM_BITS-1:0];
endmodule
`endif
