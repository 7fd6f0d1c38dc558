// The module of products.v for synthesis: products in an ECP5's MULT18X18D, each in its own or both in one, and their
// sums in logic.
`ifdef YOSYS
module snnc_multiply_pair #(
    parameter WEIGHT_BITS = 1, parameter VALUE_BITS = 1, parameter SUM_BITS = 1, parameter LANES_EACH = 2
) (
    input wire clk,
    input wire signed [WEIGHT_BITS-1:0] weight_a, input wire signed [WEIGHT_BITS-1:0] weight_b,
    input wire [VALUE_BITS-1:0] value, input wire adds, input wire clear,
    output wire [SUM_BITS-1:0] sum_a, output wire [SUM_BITS-1:0] sum_b
);
    localparam PRODUCT_BITS = WEIGHT_BITS + VALUE_BITS, PAIR_BITS = WEIGHT_BITS + PRODUCT_BITS;
    wire signed [PRODUCT_BITS-1:0] product_a, product_b;
    reg signed [SUM_BITS-1:0] total_a, total_b;
    generate
        if (LANES_EACH == 2) begin : together
            // 2^PRODUCT_BITS * weight_b + weight_a + 2^(WEIGHT_BITS-1): what is added leaves weight_a no sign, of which
            // the factor would need copies, and is taken from the lower half of the product again.
            wire [PAIR_BITS-1:0] weights = {
                weight_b, {VALUE_BITS{1'b0}}, weight_a ^ {1'b1, {WEIGHT_BITS-1{1'b0}}}
            };
            wire [PAIR_BITS+VALUE_BITS-1:0] products;
            reg [VALUE_BITS-1:0] given, by;
            always @(posedge clk) begin given <= value; by <= given; end
            snnc_multiplier #(.WEIGHT_BITS(PAIR_BITS), .VALUE_BITS(VALUE_BITS)) multiplier (
                .clk(clk), .weight(weights), .value(value), .product(products)
            );
            assign product_a = products[PRODUCT_BITS-1:0] - {by, {WEIGHT_BITS-1{1'b0}}};
            assign product_b = products[PRODUCT_BITS+:PRODUCT_BITS];
        end else begin : apart
            snnc_multiplier #(.WEIGHT_BITS(WEIGHT_BITS), .VALUE_BITS(VALUE_BITS)) multiplier_a (
                .clk(clk), .weight(weight_a), .value(value), .product(product_a)
            );
            snnc_multiplier #(.WEIGHT_BITS(WEIGHT_BITS), .VALUE_BITS(VALUE_BITS)) multiplier_b (
                .clk(clk), .weight(weight_b), .value(value), .product(product_b)
            );
        end
    endgenerate
    always @(posedge clk)
        if (clear) begin total_a <= 0; total_b <= 0; end
        else if (adds) begin
            total_a <= total_a + product_a;
            total_b <= total_b + product_b;
        end
    assign sum_a = total_a;
    assign sum_b = total_b;
endmodule

// One product, with the block's own registers before and behind it. Both factors stand in the upper bits of the block's, a
// signed one and one without a sign: the bits below are constants, for which no wire is needed, as copies of a sign are.
module snnc_multiplier #(parameter WEIGHT_BITS = 1, parameter VALUE_BITS = 1) (
    input wire clk, input wire signed [WEIGHT_BITS-1:0] weight, input wire [VALUE_BITS-1:0] value,
    output wire [WEIGHT_BITS+VALUE_BITS-1:0] product
);
    wire [17:0] a = {weight, {18-WEIGHT_BITS{1'b0}}}, b = {value, {18-VALUE_BITS{1'b0}}};
    wire [35:0] p;
    assign product = p[35-:WEIGHT_BITS+VALUE_BITS];
    MULT18X18D #(
        .REG_INPUTA_CLK("CLK0"), .REG_INPUTA_CE("CE0"), .REG_INPUTA_RST("RST0"),
        .REG_INPUTB_CLK("CLK0"), .REG_INPUTB_CE("CE0"), .REG_INPUTB_RST("RST0"),
        .REG_OUTPUT_CLK("CLK0"), .REG_OUTPUT_CE("CE0"), .REG_OUTPUT_RST("RST0"),
        .REG_PIPELINE_CLK("NONE"), .REG_INPUTC_CLK("NONE"), .GSR("DISABLED"), .RESETMODE("SYNC")
    ) block (
        .CLK0(clk), .CE0(1'b1), .RST0(1'b0), .SIGNEDA(1'b1), .SIGNEDB(1'b0), .SOURCEA(1'b0), .SOURCEB(1'b0),
        .A0(a[0]), .A1(a[1]), .A2(a[2]), .A3(a[3]), .A4(a[4]), .A5(a[5]),
        .A6(a[6]), .A7(a[7]), .A8(a[8]), .A9(a[9]), .A10(a[10]), .A11(a[11]),
        .A12(a[12]), .A13(a[13]), .A14(a[14]), .A15(a[15]), .A16(a[16]), .A17(a[17]),
        .B0(b[0]), .B1(b[1]), .B2(b[2]), .B3(b[3]), .B4(b[4]), .B5(b[5]),
        .B6(b[6]), .B7(b[7]), .B8(b[8]), .B9(b[9]), .B10(b[10]), .B11(b[11]),
        .B12(b[12]), .B13(b[13]), .B14(b[14]), .B15(b[15]), .B16(b[16]), .B17(b[17]),
        .P0(p[0]), .P1(p[1]), .P2(p[2]), .P3(p[3]), .P4(p[4]), .P5(p[5]),
        .P6(p[6]), .P7(p[7]), .P8(p[8]), .P9(p[9]), .P10(p[10]), .P11(p[11]),
        .P12(p[12]), .P13(p[13]), .P14(p[14]), .P15(p[15]), .P16(p[16]), .P17(p[17]),
        .P18(p[18]), .P19(p[19]), .P20(p[20]), .P21(p[21]), .P22(p[22]), .P23(p[23]),
        .P24(p[24]), .P25(p[25]), .P26(p[26]), .P27(p[27]), .P28(p[28]), .P29(p[29]),
        .P30(p[30]), .P31(p[31]), .P32(p[32]), .P33(p[33]), .P34(p[34]), .P35(p[35])
    );
endmodule
`endif
