/* main.c - the program starts here; cmd/cmd.c does the rest. */
#include "cmd/cmd.h"

int main(int argc, char **argv) { return cmd_main(argc, argv); }
