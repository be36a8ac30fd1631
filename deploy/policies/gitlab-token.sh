# What rotator needs in GitLab for a `gitlab_variable` target: an access token that may create, read
# and update CI/CD variables of the group, the project or the instance, and no more.
#
# Type the part that you use as somebody with that role. `login` is a file with one line:
#   PRIVATE-TOKEN: a token of yours, with the scope api
# GROUP and PROJECT are paths with %2F for each slash. The token ends after a year at most; rotator
# warns a month before, and `rotator check` says when. `rotate_before: 14d` in the target lets rotator
# renew it by itself, where it may replace the token's file and no other host uses the token.
umask 077

# --- a fine-grained token (GitLab 19.2 or newer): the least there is. It belongs to a person, who
#     needs the role below, and it ends with that person's account. GROUP_ID is the group's number;
#     for a project write "project_ids":[PROJECT_ID], for the instance "access":"instance" without ids.
#     Each target needs these three permissions at its own place. The second part lets the token read
#     itself, so that rotator knows its end, and renew itself for `rotate_before`; leave it out where
#     neither is wanted. To look for variables of sub-groups and projects, `rotator check` may also
#     read groups and projects; without that it says so.
curl --fail-with-body --silent --show-error --header @login --header 'Content-Type: application/json' \
    --data '{"name":"rotator","expires_at":"'"$(date --date '+360 days' +%F)"'","granular_scopes":[
      {"access":"selected_memberships","group_ids":[GROUP_ID],
       "permissions":["create_variable","read_variable","update_variable"]},
      {"access":"user",
       "permissions":["read_personal_access_token","rotate_personal_access_token"]}]}' \
    https://gitlab.example.com/api/v4/user/personal_access_tokens | jq --raw-output .token >gitlab-token

# --- a group's variables, with a classic token that belongs to the group: no scope but `api` writes
#     variables, and no role below Owner (50)
curl --fail-with-body --silent --show-error --header @login \
    --data name=rotator --data 'scopes[]=api' --data access_level=50 \
    --data "expires_at=$(date --date '+360 days' +%F)" \
    https://gitlab.example.com/api/v4/groups/GROUP/access_tokens | jq --raw-output .token >gitlab-token

# --- a project's variables, with a classic token of the project: Maintainer (40)
curl --fail-with-body --silent --show-error --header @login \
    --data name=rotator --data 'scopes[]=api' --data access_level=40 \
    --data "expires_at=$(date --date '+360 days' +%F)" \
    https://gitlab.example.com/api/v4/projects/PROJECT/access_tokens | jq --raw-output .token >gitlab-token
