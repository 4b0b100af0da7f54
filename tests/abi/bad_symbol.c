/* A shared object without the one symbol. */
extern const int broken_symbol;
const int broken_symbol = 1;
