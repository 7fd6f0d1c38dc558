// A board in simulation: the top's clock, and its serial line as bytes on a descriptor, both ways.
//
//     board HALF BIT DESCRIPTOR [FILE OFFSET]        (in the build's folder, where the core finds its memory images)
//
// HALF is half a period of the board's oscillator, BIT a bit of the serial line, both in picoseconds: a top that makes
// another clock of it, or divides it wrongly, is heard on the line. It runs as fast as it can while anything is under
// way, and waits for the next byte where nothing has been for long. FILE is what its flash holds from byte OFFSET on.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <poll.h>
#include <unistd.h>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

#ifdef SNNC_FLASH
// An SPI flash as every vendor's data sheet has it, in mode 0: asleep after configuration, as an iCE40 leaves it, until
// AB and 3 us later; 03 and three bytes of address, and it gives byte after byte. Erased bytes are FF.
class Flash {
public:
    Flash(const char* name, unsigned long offset) : content(1 << 20, 0xff) {
        FILE* file = fopen(name, "rb");
        if (!file) exit(2);
        if (fread(content.data() + offset, 1, content.size() - offset, file) == 0) exit(2);
        fclose(file);
    }
    // The level of its output.
    int at(uint64_t now, int select, int clock, int data) {
        if (select) {
            if (!selected) awake_at = released ? now + 3000000 : awake_at;
            read = read || reading;
            reading = false;
            bits = 0;
            taken = 0;
            released = false;
            selected = true;
            output = 1;
        } else {
            selected = false;
            if (clock && !level) {
                taken = taken << 1 | data;
                if (++bits == 8 && taken == 0xab) released = true;
                if (bits == 8) awake = now >= awake_at;
                if (bits == 32) address = taken & 0xfffff, reading = awake && taken >> 24 == 0x03;
            } else if (!clock && level && bits >= 32 && reading) {
                output = content[(address + (bits - 32) / 8) % content.size()] >> (7 - bits % 8) & 1;
            }
        }
        level = clock;
        return output;
    }
    // Whether the board has read from it, and is done.
    bool read = false;

private:
    std::vector<unsigned char> content;
    uint64_t awake_at = UINT64_MAX;
    uint32_t taken = 0, address = 0;
    long bits = 0;
    int level = 0, output = 1;
    bool selected = true, released = false, awake = false, reading = false;
};
#endif

int main(int count, char** words) {
    if (count < 4) return 2;
    const uint64_t half = strtoull(words[1], nullptr, 10), bit = strtoull(words[2], nullptr, 10);
    const int line = atoi(words[3]);
    const long patience = 4000000;
    const uint64_t started = 200000000;  // a host is not there before the reset, nor before a PLL has locked
    VerilatedContext context;
    context.commandArgs(count, words);
    Vtop top{&context};
    std::deque<unsigned char> waiting;
    unsigned sending = 0, receiving = 0;
    int send_bits = 0, receive_bits = 0;
    uint64_t toggle_at = half, send_at = 0, receive_at = 0;
    long idle = 0, round = 0;
#ifdef SNNC_FLASH
    if (count < 6) return 2;
    Flash flash(words[4], strtoul(words[5], nullptr, 10));
#endif
    top.rx = 1;
    top.clk = 0;
    top.eval();
    for (;; ++round, ++idle) {
        const uint64_t now = top.eventsPending() ? std::min(toggle_at, top.nextTimeSlot()) : toggle_at;
        context.time(now);
#ifdef SNNC_FLASH
        // Until a board has read its weights, what arrives over its line is lost: no host is as early as that either.
        const bool heard = now > started && flash.read;
#else
        const bool heard = now > started;
#endif
        if (heard && send_bits == 0 && waiting.empty() && (round % 128 == 0 || idle > patience)) {
            pollfd state{line, POLLIN, 0};
            if (poll(&state, 1, idle > patience ? -1 : 0) > 0) {
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
            send_at = now;
        }
        if (send_bits > 0) {
            idle = 0;
            if (now >= send_at) {
                top.rx = sending & 1;
                sending >>= 1;
                send_at += bit;
                if (--send_bits == 0) send_bits = -1;  // the stop bit goes on
            }
        } else if (send_bits < 0 && now >= send_at) {
            send_bits = 0;
        }
        if (now == toggle_at) {
            top.clk = !top.clk;
            toggle_at += half;
        }
        top.eval();
#ifdef SNNC_FLASH
        top.flash_cipo = flash.at(now, top.flash_select, top.flash_clock, top.flash_copi);
#endif
        if (receive_bits == 0 && !top.tx) {
            receive_bits = 10;
            receive_at = now + bit / 2;
        } else if (receive_bits > 0) {
            idle = 0;
            if (now >= receive_at) {
                receive_at += bit;
                receiving = receiving >> 1 | (top.tx ? 0x200u : 0);
                if (--receive_bits == 0) {
                    const unsigned char byte = receiving >> 1 & 0xff;
                    if ((receiving & 0x200u) && write(line, &byte, 1) != 1) break;
                }
            }
        }
    }
    return 0;
}
