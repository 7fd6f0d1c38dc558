// The ECP5's block RAM (DP16KD), of which Yosys has the ports alone, as far as Yosys's mapping uses it: one port that
// reads or writes, one that reads, rising edges; and as far as `ecp5_registers.py` uses its output registers.
//
// Addresses count bits, eight to a byte of nine. A port of 1, 2 or 4 bits reaches eight of the nine; one of 9, 18 or 36
// takes whole bytes, and the lowest address pins of the two widest are byte enables of a write. 36 bits are written to
// DIA and DIB and read from DOA and DOB, low half first. Each INITVAL holds 16 words of 18 bits at intervals of 20. Of
// a word that the other port writes at the same edge, silicon promises nothing: here the read gives its complement, so
// that no design gets away with it.
module snnc_dp16kd #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", parameter CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB", parameter GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 320'd0, INITVAL_01 = 320'd0, INITVAL_02 = 320'd0, INITVAL_03 = 320'd0,
    INITVAL_04 = 320'd0, INITVAL_05 = 320'd0, INITVAL_06 = 320'd0, INITVAL_07 = 320'd0, INITVAL_08 = 320'd0,
    INITVAL_09 = 320'd0, INITVAL_0A = 320'd0, INITVAL_0B = 320'd0, INITVAL_0C = 320'd0, INITVAL_0D = 320'd0,
    INITVAL_0E = 320'd0, INITVAL_0F = 320'd0, INITVAL_10 = 320'd0, INITVAL_11 = 320'd0, INITVAL_12 = 320'd0,
    INITVAL_13 = 320'd0, INITVAL_14 = 320'd0, INITVAL_15 = 320'd0, INITVAL_16 = 320'd0, INITVAL_17 = 320'd0,
    INITVAL_18 = 320'd0, INITVAL_19 = 320'd0, INITVAL_1A = 320'd0, INITVAL_1B = 320'd0, INITVAL_1C = 320'd0,
    INITVAL_1D = 320'd0, INITVAL_1E = 320'd0, INITVAL_1F = 320'd0, INITVAL_20 = 320'd0, INITVAL_21 = 320'd0,
    INITVAL_22 = 320'd0, INITVAL_23 = 320'd0, INITVAL_24 = 320'd0, INITVAL_25 = 320'd0, INITVAL_26 = 320'd0,
    INITVAL_27 = 320'd0, INITVAL_28 = 320'd0, INITVAL_29 = 320'd0, INITVAL_2A = 320'd0, INITVAL_2B = 320'd0,
    INITVAL_2C = 320'd0, INITVAL_2D = 320'd0, INITVAL_2E = 320'd0, INITVAL_2F = 320'd0, INITVAL_30 = 320'd0,
    INITVAL_31 = 320'd0, INITVAL_32 = 320'd0, INITVAL_33 = 320'd0, INITVAL_34 = 320'd0, INITVAL_35 = 320'd0,
    INITVAL_36 = 320'd0, INITVAL_37 = 320'd0, INITVAL_38 = 320'd0, INITVAL_39 = 320'd0, INITVAL_3A = 320'd0,
    INITVAL_3B = 320'd0, INITVAL_3C = 320'd0, INITVAL_3D = 320'd0, INITVAL_3E = 320'd0, INITVAL_3F = 320'd0
) (
    input wire CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
    DIA1, DIA0,
    output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
    DOA2, DOA1, DOA0,
    input wire CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    input wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
    DIB1, DIB0,
    output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
    DOB2, DOB1, DOB0
);
    localparam [64*320-1:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
        INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
        INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
        INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00
    };
    wire [13:0] address_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [13:0] address_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    wire [35:0] data = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
        DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
        DIA0
    };

    // Bits of an address below a word.
    function integer below(input integer width);
        below = width > 18 ? 5 : width > 9 ? 4 : width > 4 ? 3 : width > 2 ? 2 : width > 1 ? 1 : 0;
    endfunction
    localparam BELOW_A = below(DATA_WIDTH_A), BELOW_B = below(DATA_WIDTH_B);
    localparam BELOW = BELOW_A > BELOW_B ? BELOW_A : BELOW_B;
    localparam [35:0] MASK_A = ~(~36'd0 << DATA_WIDTH_A), MASK_B = ~(~36'd0 << DATA_WIDTH_B);

    // Where a word starts in its row of four bytes.
    function [5:0] place(input [4:0] address, input integer bits);
        reg [4:0] aligned;
        begin
            aligned = (address >> bits) << bits;
            place = 6'd9 * {4'd0, aligned[4:3]} + {3'd0, aligned[2:0]};
        end
    endfunction

    reg [35:0] memory [0:511];
    reg [35:0] read_a, read_b;
    integer word;
    initial begin
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB"
            || REGMODE_A != REGMODE_B && (DATA_WIDTH_A > 18 || DATA_WIDTH_B > 18)
            || CSDECODE_A != "0b000" || CSDECODE_B != "0b000" || WRITEMODE_A == "WRITETHROUGH")
            $fatal(1, "This configuration of the block RAM is not modelled: see ecp5_dp16kd.v.");
        for (word = 0; word < 1024; word = word + 1)
            memory[word / 2][word % 2 * 18 +: 18] = INIT[word / 16 * 320 + word % 16 * 20 +: 18];
    end

    wire selected_a = CEA & ~(CSA2 | CSA1 | CSA0), selected_b = CEB & ~(CSB2 | CSB1 | CSB0);
    wire [5:0] place_a = place(address_a[4:0], BELOW_A), place_b = place(address_b[4:0], BELOW_B);
    wire [35:0] bytes = {{9{ADA3}}, {9{ADA2}}, {9{ADA1}}, {9{ADA0}}};
    wire [35:0] written = (DATA_WIDTH_A > 9 ? MASK_A & bytes : MASK_A) << place_a;
    wire collides = selected_a & WEA & |written & (address_a >> BELOW == address_b >> BELOW);

    always @(posedge CLKA) if (selected_a) begin
        if (WEA) memory[address_a[13:5]] <= memory[address_a[13:5]] & ~written | (data << place_a) & written;
        if (!WEA || WRITEMODE_A == "READBEFOREWRITE") read_a <= memory[address_a[13:5]] >> place_a & MASK_A;
    end
    always @(posedge CLKB) begin
        if (RSTA | RSTB | selected_b & WEB)
            $fatal(1, "Resets and a second port that writes are not modelled: see ecp5_dp16kd.v.");
        if (selected_b) read_b <= (memory[address_b[13:5]] ^ {36{collides}}) >> place_b & MASK_B;
    end

    reg [17:0] held_a;
    reg [35:0] held_b;
    always @(posedge CLKA) if (OCEA) held_a <= read_a[17:0];
    always @(posedge CLKB) if (OCEB) held_b <= read_b;
    wire [17:0] out_a = REGMODE_A == "OUTREG" ? held_a : read_a[17:0];
    wire [35:0] out_b = REGMODE_B == "OUTREG" ? held_b : read_b;

    // Only a port of 36 bits uses the pins of both.
    wire [35:0] wide = DATA_WIDTH_B > 18 ? out_b : {out_b[17:0], out_a};
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
        DOB0, DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
        DOA1, DOA0
    } = wide;
endmodule
