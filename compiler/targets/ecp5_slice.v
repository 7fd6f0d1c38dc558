// An ECP5's look-up table with its carry and multiplexers, its flip-flop and its clock's gate, as nextpnr places them.
//
// Yosys's models of the first two drive no carry out and leave out the second input of a flip-flop. Every input is
// connected here, and their multiplexers (CEMUX, LSRMUX) are done (snnc.compiler.targets.routed).

module snnc_trellis_comb (
    input  A, B, C, D, M, FCI, F1, FXA, FXB,
    input  DI0, DI1, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output F, FCO, OFX
);
    parameter MODE = "LOGIC";
    parameter [15:0] INITVAL = 0;
    parameter CCU2_INJECT1 = "NO";
    parameter WREMUX = "WRE";

    wire table_ = INITVAL[{D, C, B, A}];
    wire half = INITVAL[{2'b00, B, A}];
    wire carry = CCU2_INJECT1 == "YES" ? 1'b0 : FCI;
    generate
        if (MODE == "CCU2") begin : carrying
            assign F = table_ ^ carry;
            assign FCO = table_ ? FCI : (CCU2_INJECT1 == "YES" ? 1'b0 : half);
        end else begin : plain
            assign F = table_;
            assign FCO = 1'b0;
        end
    endgenerate
    assign OFX = M ? F1 : F;  // PFUMX: five inputs
endmodule

// The same where its multiplexer joins those of others, six inputs and more (L6MUX21).
module snnc_trellis_comb_wide (
    input  A, B, C, D, M, FCI, F1, FXA, FXB,
    input  DI0, DI1, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output F, FCO, OFX
);
    parameter MODE = "LOGIC";
    parameter [15:0] INITVAL = 0;

    assign F = INITVAL[{D, C, B, A}];
    assign FCO = 1'b0;
    assign OFX = M ? FXB : FXA;
endmodule

module snnc_trellis_ff (input CLK, LSR, CE, DI, M, output reg Q);
    parameter REGSET = "RESET", SRMODE = "LSR_OVER_CE", SD = "1", GSR = "DISABLED", LSRMODE = "LSR";

    wire data = SD == "0" ? M : DI;
    wire value = REGSET == "SET";
    initial Q = REGSET == "SET";
    generate
        if (SRMODE == "ASYNC") begin : asynchronous
            always @(posedge CLK or posedge LSR)
                if (LSR) Q <= value;
                else if (CE) Q <= data;
        end else if (SRMODE == "LSR_OVER_CE") begin : over
            always @(posedge CLK)
                if (LSR) Q <= value;
                else if (CE) Q <= data;
        end else begin : below
            always @(posedge CLK)
                if (CE) Q <= LSR ? value : data;
        end
    endgenerate
endmodule

module snnc_dcca (input CLKI, CE, output CLKO);
    assign CLKO = CLKI;
endmodule
