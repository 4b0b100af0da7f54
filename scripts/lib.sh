# Shared by the scripts; sourced after they have changed to the root of the tree.
# shellcheck shell=bash

die() {
    echo "$0: $*" >&2
    exit 1
}

# All files of the tree, one a line: those git knows or would add; without git, those that are there.
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

# The formatter's output differs between releases, so its version is part of the style. Debian 12 has it; elsewhere
# scripts/check says that it was left out.
GR_CLANG_FORMAT=${GR_CLANG_FORMAT:-clang-format-14}
GR_CLANG_TIDY=${GR_CLANG_TIDY:-clang-tidy-14}

gr_need() {
    command -v "$1" >/dev/null || die "$1 is not installed: run scripts/bootstrap"
}
