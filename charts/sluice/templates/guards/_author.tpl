{{/* What an author's object says of them; the argument is the field of the name. */}}
{{- define "sluice.guard.author" -}}
- name: foreignGroups
  expression: "request.operation != 'CREATE' || variables.isAgent || !has(object.spec.groups) ? [] : object.spec.groups.filter(g, !(g in request.userInfo.groups))"
- name: channel
  expression: "request.operation == 'CREATE' && has(object.spec.channel) ? object.spec.channel : 'kubernetes'"
- name: provider
  expression: "request.operation == 'CREATE' && has(object.spec.provider) ? object.spec.provider : 'kubernetes'"
{{- end -}}

{{/* The author must be who asks, with no group that they are not in, through the door that they used. The argument has
the field of the name, and the doors through which the agent lets people in. */}}
{{- define "sluice.guard.authored" -}}
- expression: "request.operation != 'CREATE' || variables.isAgent || object.spec.{{ .field }} == request.userInfo.username"
  messageExpression: "'spec.{{ .field }} is \"' + object.spec.{{ .field }} + '\" but the request was made by \"' + request.userInfo.username + '\"; write your own name'"
  reason: Forbidden
- expression: "variables.foreignGroups.size() == 0"
  messageExpression: "'spec.groups names \"' + variables.foreignGroups[0] + '\", which \"' + request.userInfo.username + '\" is not in; name only your own groups (kubectl auth whoami)'"
  reason: Forbidden
- expression: "request.operation != 'CREATE' || variables.isAgent || variables.channel == 'kubernetes'"
  messageExpression: "'spec.channel is \"' + variables.channel + '\", which only the agent writes; leave it out'"
  reason: Forbidden
- expression: "request.operation != 'CREATE' || variables.isAgent || variables.provider == 'kubernetes'"
  messageExpression: "'spec.provider is \"' + variables.provider + '\", but the API server alone vouches for you here; leave it out'"
  reason: Forbidden
- expression: "request.operation != 'CREATE' || !variables.isAgent || variables.channel in [{{ range $i, $door := .doors }}{{ if $i }}, {{ end }}'{{ $door }}'{{ end }}]"
  messageExpression: "'the agent writes in another name only what came through one of its own doors (spec.channel: {{ join ", " .doors }}), not \"' + variables.channel + '\"'"
  reason: Forbidden
{{- end -}}
