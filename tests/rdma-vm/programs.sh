# shellcheck shell=bash
# The table of tests, and the programs of this project that it names. Sourced by `run`.

# read_table DIR [TEST…]: writes DIR/tests for the guests, and sets
#   expected       "guest name" of each test that is to pass
#   total_seconds  what the tests may take together
#   executables    the programs that go into the image
read_table() {
    local dir=$1 line name guest seconds kind program command wanted
    shift
    expected=() executables=() total_seconds=0
    local -A built=() known=() sum=()
    : >"$dir/tests"
    while IFS= read -r line; do
        [[ $line != '#'* && $line != '' ]] || continue
        IFS='|' read -r name guest seconds kind program command <<<"$line"
        name=$(trim "$name") guest=$(trim "$guest") seconds=$(trim "$seconds")
        kind=$(trim "$kind") program=$(trim "$program") command=$(trim "$command")
        [[ $name =~ ^[a-z0-9_]+$ && $guest =~ ^(one|a|b|icount)$ && $seconds =~ ^[0-9]+$ && $kind =~ ^(clean|faults)$ && -n $program && -n $command ]] ||
            die "tests.list: this line is not as the head of the file says: $line"
        [ -z "${known[$guest $name]-}" ] || die "tests.list: there are two tests $name"
        known[$guest $name]=yes
        [[ " ${guests[*]} " == *" $guest "* ]] || continue
        [[ $# == 0 || " $* " == *" $name "* ]] || continue
        if [ "$program" != - ]; then
            [ -n "${built[$program]-}" ] || build "$program"
            command=${command//@/${built[$program]}}
        fi
        expected+=("$guest $name")
        sum[$guest]=$((${sum[$guest]-0} + seconds + 15))
        printf '%s|%s|%s|%s|%s\n' "$guest" "$name" "$seconds" "$kind" "$command" >>"$dir/tests"
    done <"$here/tests.list"
    for wanted in "$@"; do
        [[ " ${expected[*]} " == *" $wanted "* ]] || die "tests.list has no test $wanted for this kind of run"
    done
    for guest in "${!sum[@]}"; do
        [ "${sum[$guest]}" -le "$total_seconds" ] || total_seconds=${sum[$guest]}
    done
    [ -n "$shell" ] || [ ${#expected[@]} != 0 ] || die "there is no test to run"
}

trim() {
    local text=$1
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# build 'CARGO ARGUMENTS': builds, and sets `built` to the last program of that kind. All programs that the same command
# built go into the image as well, at their paths: a test may start one of them.
build() {
    local arguments messages paths
    read -ra arguments <<<"$1"
    say "cargo $1"
    [ "${arguments[0]}" != test ] || arguments+=(--no-run)
    messages=$(cargo "${arguments[@]}" --quiet --message-format=json-render-diagnostics)
    paths=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$messages")
    [ -n "$paths" ] || die "cargo $1 made no program"
    mapfile -t -O "${#executables[@]}" executables <<<"$paths"
    if [ "${arguments[0]}" = test ]; then
        paths=$(sed -n '/"profile":{[^}]*"test":true}/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$messages")
    fi
    built[$1]=$(tail -n 1 <<<"$paths")
}
