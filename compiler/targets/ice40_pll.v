// The PLLs of an iCE40 with the feedback path SIMPLE, from Lattice's FPGA-TN-02052 ("iCE40 sysCLOCK PLL Design and Usage
// Guide") and the data sheets: F = R * (DIVF + 1) / (2^DIVQ * (DIVR + 1)), the oscillator from 533 to 1066 MHz, locked
// after at most 50 us. Whatever else is asked for gives no clock.
module snnc_ice40_pll #(
    parameter FEEDBACK_PATH = "SIMPLE", PLLOUT_SELECT = "GENCLK",
    parameter [3:0] DIVR = 0, parameter [6:0] DIVF = 0, parameter [2:0] DIVQ = 0
) (
    input wire reference, output wire clock, output wire lock, input wire BYPASS, input wire RESETB
);
    wire usual = FEEDBACK_PATH == "SIMPLE" && PLLOUT_SELECT == "GENCLK" && DIVQ >= 1 && DIVQ <= 6 && RESETB && ~BYPASS;
    wire made;
    snnc_pll #(.MULTIPLY(DIVF + 1), .DIVIDE((DIVR + 1) << DIVQ)) pll (.reference(reference), .clock(made), .lock(lock));
    assign clock = made & usual;
endmodule

module SB_PLL40_CORE (
    input  REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
    input  [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
    parameter FEEDBACK_PATH = "SIMPLE";
    parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED";
    parameter DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED";
    parameter SHIFTREG_DIV_MODE = 0;
    parameter FDA_FEEDBACK = 0;
    parameter FDA_RELATIVE = 0;
    parameter PLLOUT_SELECT = "GENCLK";
    parameter DIVR = 0;
    parameter DIVF = 0;
    parameter DIVQ = 0;
    parameter FILTER_RANGE = 0;
    parameter ENABLE_ICEGATE = 0;
    parameter TEST_MODE = 0;
    parameter EXTERNAL_DIVIDE_FACTOR = 1;
    snnc_ice40_pll #(
        .FEEDBACK_PATH(FEEDBACK_PATH), .PLLOUT_SELECT(PLLOUT_SELECT), .DIVR(DIVR), .DIVF(DIVF), .DIVQ(DIVQ)
    ) pll (.reference(REFERENCECLK), .clock(PLLOUTGLOBAL), .lock(LOCK), .BYPASS(BYPASS), .RESETB(RESETB));
    assign PLLOUTCORE = PLLOUTGLOBAL;
    assign SDO = 0;
endmodule

// The same behind a pin of the package.
module SB_PLL40_PAD (
    input  PACKAGEPIN, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
    input  [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
    parameter FEEDBACK_PATH = "SIMPLE";
    parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED";
    parameter DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED";
    parameter SHIFTREG_DIV_MODE = 0;
    parameter FDA_FEEDBACK = 0;
    parameter FDA_RELATIVE = 0;
    parameter PLLOUT_SELECT = "GENCLK";
    parameter DIVR = 0;
    parameter DIVF = 0;
    parameter DIVQ = 0;
    parameter FILTER_RANGE = 0;
    parameter ENABLE_ICEGATE = 0;
    parameter TEST_MODE = 0;
    parameter EXTERNAL_DIVIDE_FACTOR = 1;
    snnc_ice40_pll #(
        .FEEDBACK_PATH(FEEDBACK_PATH), .PLLOUT_SELECT(PLLOUT_SELECT), .DIVR(DIVR), .DIVF(DIVF), .DIVQ(DIVQ)
    ) pll (.reference(PACKAGEPIN), .clock(PLLOUTGLOBAL), .lock(LOCK), .BYPASS(BYPASS), .RESETB(RESETB));
    assign PLLOUTCORE = PLLOUTGLOBAL;
    assign SDO = 0;
endmodule
