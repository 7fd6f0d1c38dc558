// Gowin's block RAM, of which Yosys has the ports alone, as far as Yosys's mapping uses it: SP and SPX9, one port that
// reads or writes (here also the read-only memories), SDPB and SDPX9B, one port that writes and one that reads, and DPB
// and DPX9B, two that do either. Rising edges, no output registers.
//
// nextpnr makes the widest SP of both halves of a block, and gives the second one its address too (SPLIT). Of an SDP it
// connects what the block has and Gowin's cell has not: write enables of both ports, tied high (PLACED).
//
// Addresses count bits, eight to a byte, of which those with nine (BYTE = 9: the X9 cells) store one more. A port of 1,
// 2, 4, 8, 16 or 32 bits takes so many of the eight; one of 9, 18 or 36 takes whole bytes, and the lowest address pins of
// the two widest of each kind are byte enables of a write. Each INIT_RAM holds 32 bytes, 256 or 288 bits. A read port
// that has not read gives zeros. Of a word that the other port writes at the same edge, silicon promises nothing: here
// the read gives its complement, so that no design gets away with it.

// What the cells of both kinds begin with: their contents as parameters, and the same as one word.
`define SNNC_BSRAM_PARAMETERS \
    parameter [287:0] INIT_RAM_00 = 288'd0, INIT_RAM_01 = 288'd0, INIT_RAM_02 = 288'd0, INIT_RAM_03 = 288'd0, \
    INIT_RAM_04 = 288'd0, INIT_RAM_05 = 288'd0, INIT_RAM_06 = 288'd0, INIT_RAM_07 = 288'd0, \
    INIT_RAM_08 = 288'd0, INIT_RAM_09 = 288'd0, INIT_RAM_0A = 288'd0, INIT_RAM_0B = 288'd0, \
    INIT_RAM_0C = 288'd0, INIT_RAM_0D = 288'd0, INIT_RAM_0E = 288'd0, INIT_RAM_0F = 288'd0, \
    INIT_RAM_10 = 288'd0, INIT_RAM_11 = 288'd0, INIT_RAM_12 = 288'd0, INIT_RAM_13 = 288'd0, \
    INIT_RAM_14 = 288'd0, INIT_RAM_15 = 288'd0, INIT_RAM_16 = 288'd0, INIT_RAM_17 = 288'd0, \
    INIT_RAM_18 = 288'd0, INIT_RAM_19 = 288'd0, INIT_RAM_1A = 288'd0, INIT_RAM_1B = 288'd0, \
    INIT_RAM_1C = 288'd0, INIT_RAM_1D = 288'd0, INIT_RAM_1E = 288'd0, INIT_RAM_1F = 288'd0, \
    INIT_RAM_20 = 288'd0, INIT_RAM_21 = 288'd0, INIT_RAM_22 = 288'd0, INIT_RAM_23 = 288'd0, \
    INIT_RAM_24 = 288'd0, INIT_RAM_25 = 288'd0, INIT_RAM_26 = 288'd0, INIT_RAM_27 = 288'd0, \
    INIT_RAM_28 = 288'd0, INIT_RAM_29 = 288'd0, INIT_RAM_2A = 288'd0, INIT_RAM_2B = 288'd0, \
    INIT_RAM_2C = 288'd0, INIT_RAM_2D = 288'd0, INIT_RAM_2E = 288'd0, INIT_RAM_2F = 288'd0, \
    INIT_RAM_30 = 288'd0, INIT_RAM_31 = 288'd0, INIT_RAM_32 = 288'd0, INIT_RAM_33 = 288'd0, \
    INIT_RAM_34 = 288'd0, INIT_RAM_35 = 288'd0, INIT_RAM_36 = 288'd0, INIT_RAM_37 = 288'd0, \
    INIT_RAM_38 = 288'd0, INIT_RAM_39 = 288'd0, INIT_RAM_3A = 288'd0, INIT_RAM_3B = 288'd0, \
    INIT_RAM_3C = 288'd0, INIT_RAM_3D = 288'd0, INIT_RAM_3E = 288'd0, INIT_RAM_3F = 288'd0
`define SNNC_BSRAM_CONTENTS \
    localparam [64*SLICE-1:0] INIT = { \
        INIT_RAM_3F[SLICE-1:0], INIT_RAM_3E[SLICE-1:0], INIT_RAM_3D[SLICE-1:0], INIT_RAM_3C[SLICE-1:0], \
        INIT_RAM_3B[SLICE-1:0], INIT_RAM_3A[SLICE-1:0], INIT_RAM_39[SLICE-1:0], INIT_RAM_38[SLICE-1:0], \
        INIT_RAM_37[SLICE-1:0], INIT_RAM_36[SLICE-1:0], INIT_RAM_35[SLICE-1:0], INIT_RAM_34[SLICE-1:0], \
        INIT_RAM_33[SLICE-1:0], INIT_RAM_32[SLICE-1:0], INIT_RAM_31[SLICE-1:0], INIT_RAM_30[SLICE-1:0], \
        INIT_RAM_2F[SLICE-1:0], INIT_RAM_2E[SLICE-1:0], INIT_RAM_2D[SLICE-1:0], INIT_RAM_2C[SLICE-1:0], \
        INIT_RAM_2B[SLICE-1:0], INIT_RAM_2A[SLICE-1:0], INIT_RAM_29[SLICE-1:0], INIT_RAM_28[SLICE-1:0], \
        INIT_RAM_27[SLICE-1:0], INIT_RAM_26[SLICE-1:0], INIT_RAM_25[SLICE-1:0], INIT_RAM_24[SLICE-1:0], \
        INIT_RAM_23[SLICE-1:0], INIT_RAM_22[SLICE-1:0], INIT_RAM_21[SLICE-1:0], INIT_RAM_20[SLICE-1:0], \
        INIT_RAM_1F[SLICE-1:0], INIT_RAM_1E[SLICE-1:0], INIT_RAM_1D[SLICE-1:0], INIT_RAM_1C[SLICE-1:0], \
        INIT_RAM_1B[SLICE-1:0], INIT_RAM_1A[SLICE-1:0], INIT_RAM_19[SLICE-1:0], INIT_RAM_18[SLICE-1:0], \
        INIT_RAM_17[SLICE-1:0], INIT_RAM_16[SLICE-1:0], INIT_RAM_15[SLICE-1:0], INIT_RAM_14[SLICE-1:0], \
        INIT_RAM_13[SLICE-1:0], INIT_RAM_12[SLICE-1:0], INIT_RAM_11[SLICE-1:0], INIT_RAM_10[SLICE-1:0], \
        INIT_RAM_0F[SLICE-1:0], INIT_RAM_0E[SLICE-1:0], INIT_RAM_0D[SLICE-1:0], INIT_RAM_0C[SLICE-1:0], \
        INIT_RAM_0B[SLICE-1:0], INIT_RAM_0A[SLICE-1:0], INIT_RAM_09[SLICE-1:0], INIT_RAM_08[SLICE-1:0], \
        INIT_RAM_07[SLICE-1:0], INIT_RAM_06[SLICE-1:0], INIT_RAM_05[SLICE-1:0], INIT_RAM_04[SLICE-1:0], \
        INIT_RAM_03[SLICE-1:0], INIT_RAM_02[SLICE-1:0], INIT_RAM_01[SLICE-1:0], INIT_RAM_00[SLICE-1:0] \
    };

module snnc_gowin_sp #(
    parameter BYTE = 8, parameter BIT_WIDTH = 32, parameter READ_MODE = 1'b0, parameter WRITE_MODE = 0,
    parameter BLK_SEL = 3'b000, parameter RESET_MODE = "SYNC", parameter SPLIT = 0,
    `SNNC_BSRAM_PARAMETERS
) (
    output wire [35:0] DO, input wire [35:0] DI, input wire [2:0] BLKSEL, input wire [13:0] AD,
    input wire WRE, CLK, CE, OCE, RESET,
    input wire [13:0] ADB, input wire [2:0] BLKSELB, input wire WREB, CLKB, CEB, OCEB, RESETB
);
    localparam SLICE = 32 * BYTE;
    localparam STEP = BIT_WIDTH > 8 ? BIT_WIDTH / BYTE * 8 : BIT_WIDTH;
    `SNNC_BSRAM_CONTENTS
    reg [64*SLICE-1:0] memory = INIT;
    reg [BIT_WIDTH-1:0] word = 0;
    integer k;
    wire [14:0] base = AD / STEP * BIT_WIDTH;
    wire [14:0] second = SPLIT && BIT_WIDTH > 18 ? ADB / STEP * BIT_WIDTH : base;
    wire selected = CE && BLKSEL == BLK_SEL;
    assign DO = {{36 - BIT_WIDTH{1'b0}}, word};
    always @(posedge CLK) begin
        if (selected && WRE)
            for (k = 0; k < BIT_WIDTH; k = k + 1)
                if (BIT_WIDTH <= 9 || AD[k / BYTE]) memory[base + k[14:0]] <= DI[k];
        if (RESET) word <= 0;
        else if (selected && (!WRE || WRITE_MODE != 0))
            for (k = 0; k < BIT_WIDTH; k = k + 1)
                word[k] <= WRE && WRITE_MODE == 1 && (BIT_WIDTH <= 9 || AD[k / BYTE]) ? DI[k]
                    : memory[(k < BIT_WIDTH / 2 ? base : second) + k[14:0]];
    end
endmodule

module snnc_gowin_sdp #(
    parameter BYTE = 8, parameter BIT_WIDTH_0 = 32, parameter BIT_WIDTH_1 = 32, parameter READ_MODE = 1'b0,
    parameter BLK_SEL_0 = 3'b000, parameter BLK_SEL_1 = 3'b000, parameter RESET_MODE = "SYNC", parameter PLACED = 0,
    `SNNC_BSRAM_PARAMETERS
) (
    output wire [35:0] DO, input wire [35:0] DI, input wire [2:0] BLKSELA, input wire [2:0] BLKSELB,
    input wire [13:0] ADA, input wire [13:0] ADB, input wire CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input wire WREA, WREB, OCEB
);
    localparam SLICE = 32 * BYTE;
    localparam WRITE_STEP = BIT_WIDTH_0 > 8 ? BIT_WIDTH_0 / BYTE * 8 : BIT_WIDTH_0;
    localparam READ_STEP = BIT_WIDTH_1 > 8 ? BIT_WIDTH_1 / BYTE * 8 : BIT_WIDTH_1;
    `SNNC_BSRAM_CONTENTS
    reg [64*SLICE-1:0] memory = INIT;
    reg [BIT_WIDTH_1-1:0] word = 0;
    integer k;
    wire [14:0] write_base = ADA / WRITE_STEP * BIT_WIDTH_0;
    wire [14:0] read_base = ADB / READ_STEP * BIT_WIDTH_1;
    wire write = CEA && BLKSELA == BLK_SEL_0 && (WREA || PLACED == 0);
    wire read = CEB && BLKSELB == BLK_SEL_1 && (WREB || PLACED == 0);
    wire collides = write && write_base < read_base + BIT_WIDTH_1 && read_base < write_base + BIT_WIDTH_0;
    assign DO = {{36 - BIT_WIDTH_1{1'b0}}, word};
    always @(posedge CLKA)
        if (write)
            for (k = 0; k < BIT_WIDTH_0; k = k + 1)
                if (BIT_WIDTH_0 <= 9 || ADA[k / BYTE]) memory[write_base + k[14:0]] <= DI[k];
    always @(posedge CLKB)
        if (RESETB) word <= 0;
        else if (read) word <= memory[read_base +: BIT_WIDTH_1] ^ {BIT_WIDTH_1{collides}};
endmodule

module snnc_gowin_dp #(
    parameter BYTE = 8, parameter BIT_WIDTH_0 = 8, parameter BIT_WIDTH_1 = 8,
    parameter READ_MODE0 = 1'b0, parameter READ_MODE1 = 1'b0, parameter WRITE_MODE0 = 0, parameter WRITE_MODE1 = 0,
    parameter BLK_SEL_0 = 3'b000, parameter BLK_SEL_1 = 3'b000, parameter RESET_MODE = "SYNC",
    `SNNC_BSRAM_PARAMETERS
) (
    output wire [17:0] DOA, output wire [17:0] DOB, input wire [17:0] DIA, input wire [17:0] DIB,
    input wire [2:0] BLKSELA, input wire [2:0] BLKSELB, input wire [13:0] ADA, input wire [13:0] ADB,
    input wire WREA, WREB, CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB
);
    localparam SLICE = 32 * BYTE;
    localparam STEP_A = BIT_WIDTH_0 > 8 ? BIT_WIDTH_0 / BYTE * 8 : BIT_WIDTH_0;
    localparam STEP_B = BIT_WIDTH_1 > 8 ? BIT_WIDTH_1 / BYTE * 8 : BIT_WIDTH_1;
    `SNNC_BSRAM_CONTENTS
    reg [64*SLICE-1:0] memory = INIT;
    reg [BIT_WIDTH_0-1:0] word_a = 0;
    reg [BIT_WIDTH_1-1:0] word_b = 0;
    integer k, l;
    wire [14:0] base_a = ADA / STEP_A * BIT_WIDTH_0;
    wire [14:0] base_b = ADB / STEP_B * BIT_WIDTH_1;
    wire at_a = CEA && BLKSELA == BLK_SEL_0;
    wire at_b = CEB && BLKSELB == BLK_SEL_1;
    wire same = at_a && at_b && base_a < base_b + BIT_WIDTH_1 && base_b < base_a + BIT_WIDTH_0;
    assign DOA = {{18 - BIT_WIDTH_0{1'b0}}, word_a};
    assign DOB = {{18 - BIT_WIDTH_1{1'b0}}, word_b};
    always @(posedge CLKA) begin
        if (at_a && WREA)
            for (k = 0; k < BIT_WIDTH_0; k = k + 1)
                if (BIT_WIDTH_0 <= 9 || ADA[k / BYTE]) memory[base_a + k[14:0]] <= DIA[k];
        if (RESETA) word_a <= 0;
        else if (at_a && (!WREA || WRITE_MODE0 != 0))
            for (k = 0; k < BIT_WIDTH_0; k = k + 1)
                word_a[k] <= WREA && WRITE_MODE0 == 1 && (BIT_WIDTH_0 <= 9 || ADA[k / BYTE]) ? DIA[k]
                    : memory[base_a + k[14:0]] ^ (same && WREB);
    end
    always @(posedge CLKB) begin
        if (at_b && WREB)
            for (l = 0; l < BIT_WIDTH_1; l = l + 1)
                if (BIT_WIDTH_1 <= 9 || ADB[l / BYTE]) memory[base_b + l[14:0]] <= DIB[l];
        if (RESETB) word_b <= 0;
        else if (at_b && (!WREB || WRITE_MODE1 != 0))
            for (l = 0; l < BIT_WIDTH_1; l = l + 1)
                word_b[l] <= WREB && WRITE_MODE1 == 1 && (BIT_WIDTH_1 <= 9 || ADB[l / BYTE]) ? DIB[l]
                    : memory[base_b + l[14:0]] ^ (same && WREA);
    end
endmodule

`undef SNNC_BSRAM_PARAMETERS
`undef SNNC_BSRAM_CONTENTS
