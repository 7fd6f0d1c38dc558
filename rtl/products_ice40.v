// The module of products.v for synthesis: an iCE40's SB_MAC16 takes both products and adds each to its sum.
`ifdef YOSYS
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
    wire [31:0] sums;
    SB_MAC16 #(
        .A_REG(1'b1), .B_REG(1'b1), .C_REG(1'b0), .D_REG(1'b0),
        .MODE_8x8(1'b1), .A_SIGNED(1'b1), .B_SIGNED(1'b0),
        .TOP_8x8_MULT_REG(1'b1), .BOT_8x8_MULT_REG(1'b1),
        .PIPELINE_16x16_MULT_REG1(1'b0), .PIPELINE_16x16_MULT_REG2(1'b0),
        .TOPOUTPUT_SELECT(2'b01), .TOPADDSUB_LOWERINPUT(2'b01), .TOPADDSUB_UPPERINPUT(1'b0),
        .TOPADDSUB_CARRYSELECT(2'b00),
        .BOTOUTPUT_SELECT(2'b01), .BOTADDSUB_LOWERINPUT(2'b01), .BOTADDSUB_UPPERINPUT(1'b0),
        .BOTADDSUB_CARRYSELECT(2'b00), .NEG_TRIGGER(1'b0)
    ) block (
        .CLK(clk), .CE(1'b1), .A({wide_b, wide_a}), .B({factor, factor}), .C(16'b0), .D(16'b0),
        .AHOLD(1'b0), .BHOLD(1'b0), .CHOLD(1'b0), .DHOLD(1'b0),
        .IRSTTOP(1'b0), .IRSTBOT(1'b0), .ORSTTOP(1'b0), .ORSTBOT(1'b0),
        .OLOADTOP(clear), .OLOADBOT(clear), .OHOLDTOP(~(adds | clear)), .OHOLDBOT(~(adds | clear)),
        .ADDSUBTOP(1'b0), .ADDSUBBOT(1'b0), .CI(1'b0), .ACCUMCI(1'b0), .SIGNEXTIN(1'b0),
        .O(sums), .CO(), .ACCUMCO(), .SIGNEXTOUT()
    );
    assign sum_a = sums[SUM_BITS-1:0];
    assign sum_b = sums[16 +: SUM_BITS];
endmodule
`endif
