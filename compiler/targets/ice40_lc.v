// A logic cell of an iCE40 as nextpnr places it: a look-up table, its carry, and a flip-flop behind it.
//
// Yosys's ICESTORM_LC asks whether an input is open, which a simulator with two states cannot answer; here every input
// is connected (snnc.compiler.targets.routed). What it does is that of Lattice's ICE Technology Library, as SB_LUT4,
// SB_CARRY and SB_DFF* of Yosys's cells_sim.v: I0 is the lowest bit of the look-up table's address, carry in goes into the
// carry alone, and every flip-flop starts at 0.
module snnc_ice40_lc (
    input  I0, I1, I2, I3, CIN, CLK, CEN, SR,
    output LO, O, COUT
);
    parameter [15:0] LUT_INIT = 0;
    parameter [0:0] NEG_CLK = 0, CARRY_ENABLE = 0, DFF_ENABLE = 0, SET_NORESET = 0, ASYNC_SR = 0;
    parameter [0:0] CIN_CONST = 0, CIN_SET = 0;

    wire carry = CIN_CONST ? CIN_SET : CIN;
    assign LO = LUT_INIT[{I3, I2, I1, I0}];
    assign COUT = CARRY_ENABLE & ((I1 & I2) | ((I1 | I2) & carry));

    generate
        if (DFF_ENABLE) begin : registered
            wire edge_ = CLK ^ NEG_CLK;
            reg q = 0;
            if (ASYNC_SR) begin : asynchronous
                always @(posedge edge_ or posedge SR)
                    if (SR) q <= SET_NORESET;
                    else if (CEN) q <= LO;
            end else begin : synchronous
                always @(posedge edge_)
                    if (CEN) q <= SR ? SET_NORESET : LO;
            end
            assign O = q;
        end else begin : combinational
            assign O = LO;
        end
    endgenerate
endmodule
