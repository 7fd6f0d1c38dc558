// A board in simulation: the top's clock, and its serial line as bytes on a descriptor, both ways.
//
//     board DIVISOR DESCRIPTOR         (in the build's folder, where the core finds its memory images)
//
// It runs as fast as it can while anything is under way, and waits for the next byte where nothing has been for long.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <poll.h>
#include <unistd.h>

#include "Vsnnc_uart.h"
#include "verilated.h"

int main(int count, char** words) {
    if (count < 3) return 2;
    const int divisor = atoi(words[1]), line = atoi(words[2]);
    const long patience = 2000000;
    VerilatedContext context;
    context.commandArgs(count, words);
    Vsnnc_uart top{&context};
    std::deque<unsigned char> waiting;
    unsigned sending = 0, receiving = 0;
    int send_bits = 0, send_wait = 0, receive_bits = 0, receive_wait = 0;
    long idle = 0, cycle = 0;
    top.rx = 1;
    top.clk = 0;
    top.eval();
    for (;; ++cycle) {
        if (send_bits == 0 && (cycle % 64 == 0 || idle > patience)) {
            pollfd state{line, POLLIN, 0};
            if (waiting.empty() && poll(&state, 1, idle > patience ? -1 : 0) > 0) {
                unsigned char data[256];
                const ssize_t got = read(line, data, sizeof data);
                if (got <= 0) break;  // the host is gone for good
                waiting.insert(waiting.end(), data, data + got);
            }
        }
        if (send_bits == 0 && !waiting.empty()) {
            sending = 0x200u | waiting.front() << 1;
            waiting.pop_front();
            send_bits = 10;
            send_wait = 0;
        }
        if (send_bits > 0) {
            idle = 0;
            if (send_wait-- == 0) {
                top.rx = sending & 1;
                sending >>= 1;
                send_wait = divisor - 1;
                if (--send_bits == 0) send_bits = -1;  // the stop bit goes on
            }
        } else if (send_bits < 0 && send_wait-- == 0) {
            send_bits = 0;
        }
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
        if (receive_bits == 0 && !top.tx) {
            receive_bits = 10;
            receive_wait = divisor / 2;
        } else if (receive_bits > 0 && --receive_wait == 0) {
            receive_wait = divisor;
            receiving = receiving >> 1 | (top.tx ? 0x200u : 0);
            if (--receive_bits == 0) {
                const unsigned char byte = receiving >> 1 & 0xff;
                if ((receiving & 0x200u) && write(line, &byte, 1) != 1) break;
            }
            idle = 0;
        }
        ++idle;
    }
    return 0;
}
