// Gowin's rPLL, from UG286 ("Gowin Clock User Guide"): CLKOUT = CLKIN * (FBDIV_SEL + 1) / (IDIV_SEL + 1). Whatever else is
// asked for gives no clock.
module rPLL (
    input CLKIN, CLKFB, RESET, RESET_P,
    input [5:0] FBDSEL, IDSEL, ODSEL,
    input [3:0] PSDA, FDLY, DUTYDA,
    output CLKOUT, LOCK, CLKOUTP, CLKOUTD, CLKOUTD3
);
    parameter FCLKIN = "100.0";
    parameter DYN_IDIV_SEL = "false";
    parameter IDIV_SEL = 0;
    parameter DYN_FBDIV_SEL = "false";
    parameter FBDIV_SEL = 0;
    parameter DYN_ODIV_SEL = "false";
    parameter ODIV_SEL = 8;
    parameter PSDA_SEL = "0000";
    parameter DYN_DA_EN = "false";
    parameter DUTYDA_SEL = "1000";
    parameter CLKOUT_FT_DIR = 1;
    parameter CLKOUTP_FT_DIR = 1;
    parameter CLKOUT_DLY_STEP = 0;
    parameter CLKOUTP_DLY_STEP = 0;
    parameter CLKFB_SEL = "internal";
    parameter CLKOUT_BYPASS = "false";
    parameter CLKOUTP_BYPASS = "false";
    parameter CLKOUTD_BYPASS = "false";
    parameter DYN_SDIV_SEL = 2;
    parameter CLKOUTD_SRC = "CLKOUT";
    parameter CLKOUTD3_SRC = "CLKOUT";
    parameter DEVICE = "GW1N-1";
    wire usual = CLKFB_SEL == "internal" && CLKOUT_BYPASS == "false" && ~RESET && ~RESET_P;
    wire made;
    snnc_pll #(.MULTIPLY(FBDIV_SEL + 1), .DIVIDE(IDIV_SEL + 1)) pll (.reference(CLKIN), .clock(made), .lock(LOCK));
    assign CLKOUT = made & usual;
    assign {CLKOUTP, CLKOUTD, CLKOUTD3} = 0;
endmodule
