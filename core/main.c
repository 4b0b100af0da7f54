#include "cmd/cmd.h"

int main(int argc, char **argv)
{
    return grc_cli_main(argc, argv);
}
