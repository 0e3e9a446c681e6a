# The identity and what the agent placed, then the agent itself.
if find_agent; then
    say agent "$agent"
    say begin report
    "$agent" deprovision --purge --json | base64
    say end report
    case $agent in
        /var/lib/*)
            say begin uninstalled
            "$agent" install-self --uninstall --json | base64
            say end uninstalled
            ;;
    esac
fi
say finished uninstall
