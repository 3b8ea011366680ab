# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Completion of bal and bal-top for bash. It needs nothing of the package bash-completion.

_bal_commands='start stop graceful reload check status doctor backend sessions events top logs metrics explain config
    completion version help'

# The options of a command, beside those that all have: _bal_options "backend drain"
_bal_options() {
    case $1 in
    '') echo --validate ;;
    start) echo --detach -d --log-level --no-watch ;;
    graceful | reload) echo --wait --dry-run ;;
    check) echo --validate ;;
    status) echo --exit-code --watch --follow ;;
    doctor) echo --only --skip --backend --plugin ;;
    'backend drain' | 'backend maint') echo --deadline --yes ;;
    'backend enable' | 'backend weight' | 'sessions close') echo --yes ;;
    sessions) echo --sort --limit ;;
    events) echo --follow --level --event --limit ;;
    logs) echo --reopen ;;
    bal-top)
        echo --socket --interval -d --filter --admin --mouse --once --batch -b --count -n --json --stat --plain \
            --color --chars --help -h --version -V
        return
        ;;
    esac
    echo --config -c --socket --json --brief --verbose -v --quiet -q --strict --color --help -h --version -V
}

# Does an option take the next word?
_bal_takes_value() {
    case $1 in
    -c | --config | --socket | --color | --log-level | --wait | --sort | --limit | --level | --event) true ;;
    --deadline | --only | --skip | --backend) true ;;
    -d | --interval | --filter | -n | --count | --chars) [[ $2 == bal-top ]] ;;
    *) false ;;
    esac
}

_bal_names() { # backend|pool|frontend|event|check|code: from the daemon on the socket of the line
    "$program" __complete "$1" ${socket:+"--socket=$socket"} 2>/dev/null
}

# What begins with $cur out of the lines of standard input, behind $1.
_bal_offer() {
    local line
    while IFS= read -r line; do
        if [[ $line && $1$line == "$cur"* ]]; then
            COMPREPLY+=("$1$line")
        fi
    done
}

_bal_offer_words() {
    local IFS=$' \t\n'
    # shellcheck disable=SC2086 # they are words
    _bal_offer '' < <(printf '%s\n' $1)
}

# By "pool/host:port"; by "host:port" where that is how the word begins.
_bal_offer_backends() { # what stands before it
    local -a names
    local before=${#COMPREPLY[@]}
    mapfile -t names < <(_bal_names backend)
    _bal_offer "$1" < <(printf '%s\n' "${names[@]}")
    if ((${#COMPREPLY[@]} == before)); then
        _bal_offer "$1" < <(printf '%s\n' "${names[@]#*/}" | sort -u)
    fi
}

# Files, whether there are blanks in their names or not; $1 stands before them.
_bal_offer_files() {
    local -a names
    mapfile -t names < <(compgen -f -- "${cur#"$1"}")
    COMPREPLY+=("${names[@]/#/$1}")
    compopt -o filenames 2>/dev/null
}

# The value of option $1; $2 stands before it in the same word: "--color=" or nothing.
_bal_value() {
    local list
    case $1 in
    -c | --config | --socket) _bal_offer_files "$2" ;;
    --color) _bal_offer "$2" < <(printf '%s\n' auto always never) ;;
    --chars) _bal_offer "$2" < <(printf '%s\n' auto ascii block braille) ;;
    --log-level) _bal_offer "$2" < <(printf '%s\n' error warn info debug trace) ;;
    --level) _bal_offer "$2" < <(printf '%s\n' error warn info) ;;
    --sort) _bal_offer "$2" < <(printf '%s\n' age idle bytes rtt retransmits) ;;
    --event) _bal_offer "$2" < <(_bal_names event) ;;
    --backend) _bal_offer_backends "$2" ;;
    --filter) _bal_offer "$2" < <(_bal_names pool) ;;
    --only | --skip)
        list=${cur#"$2"}
        [[ $list == *,* ]] && list=${list%,*}, || list=
        _bal_offer "$2$list" < <(_bal_names check)
        ;;
    esac
}

# The filters of sessions and backend list.
_bal_filters() { # kind...
    local kind
    for kind; do
        if [[ $cur != "$kind"* ]]; then
            _bal_offer_words "$kind"
            continue
        fi
        case $kind in
        state:) _bal_offer state: < <(printf '%s\n' up cool down drain maint) ;;
        pool:) _bal_offer pool: < <(_bal_names pool) ;;
        frontend:) _bal_offer frontend: < <(_bal_names frontend) ;;
        backend:) _bal_offer_backends backend: ;;
        esac
    done
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
    _bal_offer '' < <(_bal_names pool)
    _bal_offer_backends ''
}

# What may follow a command beside options.
_bal_operands() { # command, how many there are
    case $1 in
    '') _bal_offer_words "$_bal_commands" ;;
    backend) _bal_offer_words 'list drain maint enable weight' ;;
    'backend list') _bal_filters state: pool: ;;
    'backend '*) _bal_offer_backends '' ;;
    sessions)
        (($2 == 0)) && _bal_offer_words close
        _bal_filters backend: pool: frontend: client: id: idle: age:
        ;;
    'sessions close') _bal_filters backend: pool: frontend: client: id: idle: age: ;;
    config) _bal_offer_words keys ;;
    explain) (($2 == 0)) && _bal_offer '' < <(_bal_names code) ;;
    completion) (($2 == 0)) && _bal_offer_words 'bash zsh fish' ;;
    help) (($2 == 0)) && _bal_offer_words "$_bal_commands" ;;
    'help backend') _bal_operands backend 0 ;;
    'help config') _bal_operands config 0 ;;
    'help sessions') _bal_offer_words close ;;
    esac
    true
}

# bash cuts words at : and =, and a name of a backend is one word: words, and cur which is the last.
_bal_glue() {
    local i glue=
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ $glue || ${COMP_WORDS[i]} =~ ^[:=]+$ ]] && ((${#words[@]} > 0)); then
            words[${#words[@]} - 1]+=${COMP_WORDS[i]}
        else
            words+=("${COMP_WORDS[i]}")
        fi
        [[ ${COMP_WORDS[i]} =~ ^[:=]+$ ]] && glue=1 || glue=
    done
    cur=${words[${#words[@]} - 1]}
}

# The words before cur: command, how many operands, socket, and the option that waits for a value.
_bal_understand() {
    local i word
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        option=
        if [[ $word == -- && $command == top ]]; then
            command=bal-top operands=0
        elif [[ $word == --socket=* ]]; then
            socket=${word#*=}
        elif [[ $word == -* ]]; then
            _bal_takes_value "$word" "$command" || continue
            option=$word
            ((i + 1 < ${#words[@]} - 1)) || continue
            [[ $word == --socket ]] && socket=${words[i + 1]}
            ((i++))
            option=
        elif [[ -z $command ]]; then
            command=$word
        else
            case "$command $word" in
            'backend '* | 'config keys' | 'sessions close' | 'help backend' | 'help config' | 'help sessions')
                ((operands == 0)) && [[ $command != *' '* ]] && command="$command $word" && continue
                ;;
            esac
            ((++operands))
        fi
    done
}

_bal() {
    local -a words=()
    local cur='' command='' operands=0 socket='' option='' program=$1 cut
    COMPREPLY=()
    _bal_glue
    if [[ ${1##*/} == bal-top ]]; then
        command=bal-top program=bal
    fi
    _bal_understand

    if [[ $option ]]; then
        _bal_value "$option" ''
    elif [[ $cur == --*=* ]]; then
        _bal_value "${cur%%=*}" "${cur%%=*}="
    elif [[ $cur == -* ]]; then
        _bal_offer_words "$(_bal_options "$command")"
    else
        _bal_operands "$command" "$operands"
    fi

    cut=${cur%"${cur##*[:=]}"} # what stands already before the last place where bash cuts
    if [[ $cut && $COMP_WORDBREAKS == *["${cut: -1}"]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"$cut"}")
    fi
}

complete -F _bal bal bal-top
