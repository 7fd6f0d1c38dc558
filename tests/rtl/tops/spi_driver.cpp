// A microcontroller at the SPI slave's top, whose bytes come from a descriptor and go there, runs of END cut to one.
//
//     board HALF BIT DESCRIPTOR        HALF is half a period of the chip's clock, BIT a bit of SPI, in picoseconds
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <poll.h>
#include <unistd.h>

#include "Vtop.h"
#include "verilated.h"

static const unsigned char END = 0xc0;

int main(int count, char** words) {
    if (count < 4) return 2;
    const uint64_t half = strtoull(words[1], nullptr, 10), bit = strtoull(words[2], nullptr, 10);
    const int line = atoi(words[3]);
    VerilatedContext context;
    context.commandArgs(count, words);
    Vtop top{&context};
    std::deque<unsigned char> waiting;
    uint64_t now = 0;
    unsigned seed = 1;
    unsigned char before = END;
    long idle = 0;
    const auto run = [&](uint64_t time) {
        for (const uint64_t end = now + time; now < end; now += half) {
            context.time(now);
            top.clk = !top.clk;
            top.eval();
        }
    };
    const auto exchange = [&](unsigned char sent) {
        unsigned char got = 0;
        for (int place = 7; place >= 0; --place) {
            top.copi = sent >> place & 1;
            run(bit / 2);
            got = got << 1 | top.cipo;
            top.sclk = 1;
            run(bit / 2);
            top.sclk = 0;
        }
        return got;
    };
    top.select = 1;
    top.sclk = 0;
    run(200000000);
    for (;;) {
        pollfd state{line, POLLIN, 0};
        if (waiting.empty() && poll(&state, 1, idle > 200000 ? -1 : 0) > 0) {
            unsigned char data[256];
            const ssize_t got = read(line, data, sizeof data);
            if (got <= 0) break;
            waiting.insert(waiting.end(), data, data + got);
        }
        // A transaction is some bytes long, sometimes given up in the middle of a byte.
        top.select = 0;
        run(bit);
        for (int left = 1 + rand_r(&seed) % 9; left > 0; --left, ++idle) {
            const unsigned char sent = waiting.empty() ? END : waiting.front();
            if (!waiting.empty()) waiting.pop_front(), idle = 0;
            const unsigned char got = exchange(sent);
            if ((got != END || before != END) && write(line, &got, 1) != 1) return 0;
            before = got;
        }
        if (rand_r(&seed) % 4 == 0) {
            run(bit);
            for (int left = rand_r(&seed) % 7; left > 0; --left) {
                top.sclk = 1;
                run(bit / 2);
                top.sclk = 0;
                run(bit / 2);
            }
        }
        run(bit / 2);
        top.select = 1;
        run(bit);
    }
    return 0;
}
