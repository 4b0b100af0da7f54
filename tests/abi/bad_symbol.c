/* A shared object without the symbol gr_plugin_entry. */
extern const int broken_symbol;
const int broken_symbol = 1;
