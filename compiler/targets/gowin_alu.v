// Gowin's carry cell as nextpnr places it: a look-up table whose third input is high, and a multiplexer for the carry.
//
// The table's upper halves, by I3, give what is propagated; its lowest four bits what is generated. Which table a mode
// means is Apycula's (chipdb.py); one that nextpnr has simplified comes as it is. C2L brings a carry out to the logic,
// and ONE2C makes one.
module snnc_gowin_alu (input I0, I1, I2, I3, CIN, output SUM, COUT);
    parameter ALU_MODE = 0;
    parameter [32:0] RAW_ALU_LUT = 33'h100000000;

    localparam [15:0] TABLE =
        !RAW_ALU_LUT[32] ? RAW_ALU_LUT[15:0]
        : ALU_MODE == "C2L" ? 16'b0000000000000000
        : ALU_MODE == "ONE2C" ? 16'b0000000000001111
        : ALU_MODE == 0 ? 16'b0110000001101010
        : ALU_MODE == 1 ? 16'b1001000010011010
        : ALU_MODE == 2 ? 16'b0110000010011010
        : ALU_MODE == 3 ? 16'b1001000010011111
        : ALU_MODE == 4 ? 16'b1001000010011010
        : ALU_MODE == 6 ? 16'b1010000010100000
        : ALU_MODE == 7 ? 16'b0101000001011111
        : ALU_MODE == 8 ? 16'b1010111101011010
        : 16'b0111100010001000;

    wire propagate = TABLE[{I3, I2, I1, I0}];
    wire generate_ = TABLE[{2'b00, I1, I0}];
    assign SUM = propagate ^ CIN;
    assign COUT = propagate ? CIN : generate_;
endmodule
