# Removes what was staged.
if [ -e "$stage" ]; then wipe "$stage"; fi
[ ! -e "$stage" ] && say removed "$stage"
say finished clean
