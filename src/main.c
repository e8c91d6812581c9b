// The front door: hands the command line to the command it names.
#include "cli/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
