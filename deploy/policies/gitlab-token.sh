# What rotator needs in GitLab for a `gitlab_variable` target: an access token that belongs to the
# group or project alone. No scope but `api` writes variables, and no role below these two:
# Owner (50) for a group's, Maintainer (40) for a project's.
#
# Type the part that you use as somebody with that role. `login` is a file with one line:
#   PRIVATE-TOKEN: a token of yours, with the scope api
# GROUP and PROJECT are paths with %2F for each slash. The token ends after a year at most; rotator
# warns a month before, and `rotator check` tells when.
umask 077

# --- a group's variables
curl --fail-with-body --silent --show-error --header @login \
    --data name=rotator --data 'scopes[]=api' --data access_level=50 \
    --data "expires_at=$(date --date '+360 days' +%F)" \
    https://gitlab.example.com/api/v4/groups/GROUP/access_tokens | jq --raw-output .token >gitlab-token

# --- a project's variables
curl --fail-with-body --silent --show-error --header @login \
    --data name=rotator --data 'scopes[]=api' --data access_level=40 \
    --data "expires_at=$(date --date '+360 days' +%F)" \
    https://gitlab.example.com/api/v4/projects/PROJECT/access_tokens | jq --raw-output .token >gitlab-token
