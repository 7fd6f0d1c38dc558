// What every PLL does, by the ratio that a family's own model finds in its parameters: it measures its reference, runs
// at half its rate until it has locked, and loses lock when the reference stops.
`timescale 1ps/1ps
module snnc_pll #(parameter MULTIPLY = 1, parameter DIVIDE = 1, parameter LOCK_PS = 50000000) (
    input wire reference, output reg clock, output reg lock
);
    realtime last, begun, half;
    reg running;
    initial begin
        clock = 0;
        lock = 0;
        running = 0;
        last = 0;
        begun = 0;
        half = 1;
    end
    always @(posedge reference) begin
        if (last != 0) begin
            if (!running) begin
                running = 1;
                begun = $realtime;
            end
            half = ($realtime - last) * DIVIDE / (2.0 * MULTIPLY);
        end
        last = $realtime;
        lock <= running && $realtime - begun >= LOCK_PS;
    end
    always begin
        if (!running) @(posedge reference);
        if (running) begin
            if (lock) #(half);
            else #(2 * half);
            clock = ~clock;
            if ($realtime - last > 8 * half * MULTIPLY / DIVIDE) begin
                running = 0;
                lock <= 0;
                last = 0;
            end
        end
    end
endmodule
