# SPDX-License-Identifier: MIT
# Completion of bal and bal-top for fish.

# The words before the cursor without the options: the command first. What an option takes is none.
function __bal_words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        else if test "$word" = -- # of top: what follows is for bal-top; switch would not take it
            printf '%s\n' -- # echo would not
            continue
        end
        switch $word
            case -c --config --socket --color --log-level --wait --sort --limit --level --event --deadline \
                    --only --skip --backend
                set skip 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

# Is it this command, both words of it if it has two? Without any: none was given yet.
function __bal_is
    set -l words (__bal_words)
    if contains -- -- $words
        return 1
    else if test (count $argv) = 0
        test (count $words) = 0
        return
    end
    for command in $argv
        set -l wanted (string split -- ' ' $command)
        if test "$words[1..$(count $wanted)]" = "$command"
            # "sessions" has a second word, too, and "sessions close" options of its own
            if test "$command" != sessions -o "$words[2]" != close
                return 0
            end
        end
    end
    return 1
end

# The same, and there is no operand yet.
function __bal_is_only
    __bal_is $argv[1]; and test (count (__bal_words)) = (count (string split -- ' ' $argv[1]))
end

# backend|pool|frontend|event|check|code: from the daemon on the socket of the line.
function __bal_names
    set -l words (commandline -opc)
    set -l socket
    for i in (seq 2 (count $words))
        test "$words[$i]" = --; and break
        switch $words[$i]
            case '--socket=*'
                set socket $words[$i]
            case --socket
                test $i -lt (count $words); and set socket --socket=$words[(math $i + 1)]
        end
    end
    set -l program $words[1]
    string match -q '*bal-top' -- $program; and set program bal
    $program __complete $argv[1] $socket 2>/dev/null
end

function __bal_filters
    for kind in $argv
        echo $kind
        switch $kind
            case state:
                printf 'state:%s\n' up cool down drain maint
            case pool:
                printf 'pool:%s\n' (__bal_names pool)
            case frontend:
                printf 'frontend:%s\n' (__bal_names frontend)
            case backend:
                printf 'backend:%s\n' (__bal_names backend)
        end
    end
    __bal_names pool
    __bal_names backend
end

complete -c bal -f
complete -c bal -n __bal_is -a start -d 'run the daemon'
complete -c bal -n __bal_is -a stop -d 'let the connections end, then stop the daemon'
complete -c bal -n __bal_is -a graceful -d 'read the configuration again; connections stay'
complete -c bal -n __bal_is -a reload -d 'another word for graceful'
complete -c bal -n __bal_is -a check -d 'tell every error in the configuration'
complete -c bal -n __bal_is -a status -d 'what the daemon does'
complete -c bal -n __bal_is -a doctor -d 'look for what is wrong, and say what to do'
complete -c bal -n __bal_is -a backend -d 'see and change backends'
complete -c bal -n __bal_is -a sessions -d 'who is connected to what'
complete -c bal -n __bal_is -a events -d 'what has happened of late'
complete -c bal -n __bal_is -a top -d 'the live view: runs bal-top'
complete -c bal -n __bal_is -a logs -d 'where the log is'
complete -c bal -n __bal_is -a metrics -d 'what Prometheus reads'
complete -c bal -n __bal_is -a explain -d 'what a code of check means'
complete -c bal -n __bal_is -a config -d 'what a configuration may have'
complete -c bal -n __bal_is -a completion -d 'the file for a shell'
complete -c bal -n __bal_is -a version -d 'the version of bal and of its libraries'
complete -c bal -n __bal_is -a help -d 'a summary, or the help of one command'

complete -c bal -n '__bal_is_only backend' -a list -d 'every backend, worst first'
complete -c bal -n '__bal_is_only backend' -a drain -d 'no new connections'
complete -c bal -n '__bal_is_only backend' -a maint -d 'out of service'
complete -c bal -n '__bal_is_only backend' -a enable -d 'back into service'
complete -c bal -n '__bal_is_only backend' -a weight -d 'its share of new connections'
complete -c bal -n '__bal_is_only sessions' -a close -d 'close those that the filters fit'
complete -c bal -n '__bal_is_only config' -a keys -d 'every key a configuration may have'
complete -c bal -n '__bal_is_only completion' -a 'bash zsh fish'
complete -c bal -n '__bal_is_only explain' -a '(__bal_names code)'
complete -c bal -n '__bal_is_only help' -a 'start stop graceful reload check status doctor backend sessions events top
    logs metrics explain config completion version help'
complete -c bal -n '__bal_is_only "help backend"' -a 'list drain maint enable weight'
complete -c bal -n '__bal_is_only "help sessions"' -a close
complete -c bal -n '__bal_is_only "help config"' -a keys

complete -c bal -n '__bal_is "backend list"' -a '(__bal_filters state: pool:)'
complete -c bal -n '__bal_is "backend drain" "backend maint" "backend enable" "backend weight"' \
    -a '(__bal_names backend)'
complete -c bal -n '__bal_is sessions "sessions close"' \
    -a '(__bal_filters backend: pool: frontend: client: id: idle: age:)'

# Options of one command or a few.
complete -c bal -n '__bal_is; or __bal_is check' -l validate -d 'without a command: the same as check'
complete -c bal -n '__bal_is start' -s d -l detach -d 'run in the background'
complete -c bal -n '__bal_is start' -l log-level -x -a 'error warn info debug trace' -d 'what is logged'
complete -c bal -n '__bal_is start' -l no-watch -d 'do not reload when the file changes'
complete -c bal -n '__bal_is graceful reload' -l wait -x -d 'how long to wait for the verdict'
complete -c bal -n '__bal_is graceful reload' -l dry-run -d 'only say what would change'
complete -c bal -n '__bal_is status' -l exit-code -d '3 when not running, 4 when unknown'
complete -c bal -n '__bal_is status' -l watch -d 'again and again, every 2 s; redraws'
complete -c bal -n '__bal_is status events' -l follow -d 'goes on, appended'
complete -c bal -n '__bal_is doctor' -l only -x -a "(__fish_complete_list , '__bal_names check')" -d 'only these checks'
complete -c bal -n '__bal_is doctor' -l skip -x -a "(__fish_complete_list , '__bal_names check')" -d 'all but these'
complete -c bal -n '__bal_is doctor' -l backend -x -a '(__bal_names backend)' -d 'only this backend'
complete -c bal -n '__bal_is doctor' -l plugin -d 'a line for monitoring'
complete -c bal -n '__bal_is "backend drain" "backend maint"' -l deadline -x -d 'then close what is left'
complete -c bal -n '__bal_is "backend drain" "backend maint" "backend enable" "backend weight" "sessions close"' \
    -l yes -d 'do not ask'
complete -c bal -n '__bal_is sessions' -l sort -x -a 'age idle bytes rtt retransmits' -d 'which come first'
complete -c bal -n '__bal_is sessions events' -l limit -x -d 'at most so many'
complete -c bal -n '__bal_is events' -l level -x -a 'error warn info' -d 'and what is worse'
complete -c bal -n '__bal_is events' -l event -x -a '(__bal_names event)' -d 'of one kind'
complete -c bal -n '__bal_is logs' -l reopen -d 'the daemon opens its log file again'

# Options of every command. What stands behind the -- of top is for bal-top.
function __bal_has_end
    contains -- -- (__bal_words)
end
function __bal_top_line # what bal-top will be given
    set -l words (commandline -opc)
    set -l end (contains -i -- -- $words)
    echo bal-top $words[(math $end + 1)..-1] (commandline -ct)
end
set -l ours 'not __bal_has_end'
complete -c bal -n $ours -s c -l config -r -F -d 'the configuration file'
complete -c bal -n $ours -l socket -r -F -d "the daemon's status socket"
complete -c bal -n $ours -l json -d 'one JSON document'
complete -c bal -n $ours -l brief -d 'one line per finding'
complete -c bal -n $ours -s v -l verbose -d 'everything there is to say'
complete -c bal -n $ours -s q -l quiet -d 'only the exit code'
complete -c bal -n $ours -l strict -d 'warnings fail as errors do'
complete -c bal -n $ours -l color -x -a 'auto always never' -d 'colours'
complete -c bal -n $ours -s h -l help -d 'the help of the command'
complete -c bal -n $ours -s V -l version -d 'the version'
complete -c bal -n __bal_has_end -a '(complete -C "$(__bal_top_line)")'

complete -c bal-top -f
complete -c bal-top -l socket -r -F -d "the daemon's status.sock"
complete -c bal-top -s d -l interval -x -d 'seconds between two pictures'
complete -c bal-top -l filter -x -a '(__bal_names pool)' -d 'show what fits'
complete -c bal-top -l admin -d 'actions are allowed from the start'
complete -c bal-top -l mouse -d 'wheel and clicks'
complete -c bal-top -l once -d 'print the table once'
complete -c bal-top -s b -l batch -d 'print the table every interval'
complete -c bal-top -s n -l count -x -d 'so many times, then end'
complete -c bal-top -l json -d 'print one JSON document a line'
complete -c bal-top -l stat -d 'print one line of numbers every interval'
complete -c bal-top -l plain -d 'sentences, for screen readers'
complete -c bal-top -l color -x -a 'auto always never' -d 'colours'
complete -c bal-top -l chars -x -a 'auto ascii block braille' -d 'what draws the history'
complete -c bal-top -s h -l help -d 'the help'
complete -c bal-top -s V -l version -d 'the version'
