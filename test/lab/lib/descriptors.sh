#!/usr/bin/env bash
# Closes what a caller left open: locks above all, which whoever inherits them would keep.

# Every descriptor of this shell but the three ordinary ones.
close_inherited_descriptors() {
  local descriptor
  for descriptor in /proc/"$BASHPID"/fd/*; do
    descriptor=${descriptor##*/}
    # 255 is the script that bash is reading; no child inherits it.
    if ((descriptor > 2 && descriptor != 255)); then exec {descriptor}>&-; fi
  done
}
