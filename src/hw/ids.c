/* hw/ids.c - see ids.h. */
#include "hw/ids.h"

#include <stdbool.h>
#include <string.h>

const struct hw_id hw_ids[] = {
#include "gen/ids.inc"
};
const int hw_n_ids = sizeof(hw_ids) / sizeof(hw_ids[0]);

const struct hw_id *hw_id_find(enum hw_bus bus, uint32_t vendor, uint32_t device)
{
    const uint64_t want = (uint64_t)bus << 32 | (uint64_t)vendor << 16 | device;
    int low = 0, high = hw_n_ids - 1;
    if (vendor > 0xffff || device > 0xffff)
        return NULL;
    while (low <= high) {
        const int mid = (low + high) / 2;
        const struct hw_id *id = &hw_ids[mid];
        const uint64_t have = (uint64_t)id->bus << 32 | (uint64_t)id->vendor << 16 | id->device;
        if (have == want)
            return id;
        if (have < want)
            low = mid + 1;
        else
            high = mid - 1;
    }
    return NULL;
}

/* Longer prefixes first. */
static const struct hw_nvidia_chip nvidia_chips[] = {
    { "GB10B", "Blackwell", 11, 0 }, { "GB20B", "Blackwell", 12, 1 }, { "GB20", "Blackwell", 12, 0 }, { "GB11", "Blackwell", 10, 3 },
    { "GB10", "Blackwell", 10, 0 },  { "GH10", "Hopper", 9, 0 },     { "AD10", "Ada", 8, 9 },
    { "GA100", "Ampere", 8, 0 },     { "GA10", "Ampere", 8, 6 },     { "TU1", "Turing", 7, 5 },
    { "GV100", "Volta", 7, 0 },      { "GP100", "Pascal", 6, 0 },    { "GP10", "Pascal", 6, 1 },
    { "GM20", "Maxwell", 5, 2 },     { "GM10", "Maxwell", 5, 0 },    { "GK210", "Kepler", 3, 7 },
    { "GK11", "Kepler", 3, 5 },      { "GK18", "Kepler", 3, 5 },     { "GK10", "Kepler", 3, 0 },
    { "GF1", "Fermi", 2, 0 },
};

const struct hw_nvidia_chip *hw_nvidia_chip(const char *chip)
{
    for (size_t i = 0; i < sizeof(nvidia_chips) / sizeof(nvidia_chips[0]); i++)
        if (strncmp(chip, nvidia_chips[i].prefix, strlen(nvidia_chips[i].prefix)) == 0)
            return &nvidia_chips[i];
    return NULL;
}
