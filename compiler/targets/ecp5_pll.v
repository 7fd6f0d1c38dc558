// ECP5's PLL with its feedback from CLKOP, from Lattice's FPGA-TN-02200 ("ECP5 and ECP5-5G sysCLOCK PLL/DLL Design and
// Usage Guide"): the oscillator runs at R / CLKI_DIV * CLKFB_DIV * CLKOP_DIV, and CLKOS at that over CLKOS_DIV. Locked
// after at most 15 ms, of which simulation waits 50 us. Whatever else is asked for gives no clock.
module EHXPLLL (
    input  CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC, RST,
    input  ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
    output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
    parameter CLKI_DIV = 1;
    parameter CLKFB_DIV = 1;
    parameter CLKOP_DIV = 8;
    parameter CLKOS_DIV = 8;
    parameter CLKOS2_DIV = 8;
    parameter CLKOS3_DIV = 8;
    parameter CLKOP_ENABLE = "ENABLED";
    parameter CLKOS_ENABLE = "DISABLED";
    parameter CLKOS2_ENABLE = "DISABLED";
    parameter CLKOS3_ENABLE = "DISABLED";
    parameter CLKOP_CPHASE = 0;
    parameter CLKOS_CPHASE = 0;
    parameter CLKOS2_CPHASE = 0;
    parameter CLKOS3_CPHASE = 0;
    parameter CLKOP_FPHASE = 0;
    parameter CLKOS_FPHASE = 0;
    parameter CLKOS2_FPHASE = 0;
    parameter CLKOS3_FPHASE = 0;
    parameter FEEDBK_PATH = "CLKOP";
    parameter CLKOP_TRIM_POL = "RISING";
    parameter CLKOP_TRIM_DELAY = 0;
    parameter CLKOS_TRIM_POL = "RISING";
    parameter CLKOS_TRIM_DELAY = 0;
    parameter OUTDIVIDER_MUXA = "DIVA";
    parameter OUTDIVIDER_MUXB = "DIVB";
    parameter OUTDIVIDER_MUXC = "DIVC";
    parameter OUTDIVIDER_MUXD = "DIVD";
    parameter PLL_LOCK_MODE = 0;
    parameter PLL_LOCK_DELAY = 200;
    parameter STDBY_ENABLE = "DISABLED";
    parameter REFIN_RESET = "DISABLED";
    parameter SYNC_ENABLE = "DISABLED";
    parameter INT_LOCK_STICKY = "ENABLED";
    parameter DPHASE_SOURCE = "DISABLED";
    parameter PLLRST_ENA = "DISABLED";
    parameter INTFB_WAKE = "DISABLED";
    wire usual = FEEDBK_PATH == "CLKOP" && CLKOP_ENABLE == "ENABLED" && CLKOS_ENABLE == "ENABLED" && ~RST && ~STDBY;
    wire made, unused;
    snnc_pll #(.MULTIPLY(CLKFB_DIV), .DIVIDE(CLKI_DIV)) loop (.reference(CLKI), .clock(CLKOP), .lock(LOCK));
    snnc_pll #(.MULTIPLY(CLKFB_DIV * CLKOP_DIV), .DIVIDE(CLKI_DIV * CLKOS_DIV)) output_ (
        .reference(CLKI), .clock(made), .lock(unused)
    );
    assign CLKOS = made & usual;
    assign {CLKOS2, CLKOS3, INTLOCK, REFCLK, CLKINTFB} = 0;
endmodule
