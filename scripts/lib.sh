# Functions for the scripts, which source this file in the root of the tree.
# shellcheck shell=bash

die() {
    echo "$0: $*" >&2
    exit 1
}

# Prints all files of the tree, one per line: those that git tracks or would add, or all without git.
gr_files() {
    { git ls-files --cached --others --exclude-standard 2>/dev/null ||
        find . -type f -not -path './.git/*' -not -path './build*/*' -not -path '*/__pycache__/*' |
        sed 's|^\./||'; } |
        while IFS= read -r file; do
            [ ! -f "$file" ] || printf '%s\n' "$file"
        done | sort -u
}

gr_c_files() {
    gr_files | grep -E '^(core|plugins|include|tests)/.*\.[ch]$' || true
}

# The output of the formatter differs between versions, so the version is part of the style. Debian 12 has this version; on
# other systems scripts/check reports that it skipped the formatter.
GR_CLANG_FORMAT=${GR_CLANG_FORMAT:-clang-format-14}
GR_CLANG_TIDY=${GR_CLANG_TIDY:-clang-tidy-14}

gr_need() {
    command -v "$1" >/dev/null || die "$1 is not installed: run scripts/bootstrap"
}
