{{/* Kubernetes' own accounts that delete and tidy up: owners' children, namespaces, storage versions. */}}
{{- define "sluice.housekeepers" -}}
['system:serviceaccount:kube-system:generic-garbage-collector', 'system:serviceaccount:kube-system:namespace-controller', 'system:serviceaccount:kube-system:storage-version-migrator-controller', 'system:kube-controller-manager']
{{- end -}}

{{/* Who asks. Every policy has these two. */}}
{{- define "sluice.guard.variables" -}}
- name: isAgent
  expression: "request.userInfo.username == '{{ include "sluice.user" . }}'"
- name: isHousekeeper
  expression: "request.userInfo.username in {{ include "sluice.housekeepers" . }}"
{{- end -}}

{{/* Where it holds: (dict "root" $ "namespaces" list). Another install guards its own. */}}
{{- define "sluice.guard.namespaces" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values:
        {{- toYaml .namespaces | nindent 8 }}
{{- end -}}

{{- define "sluice.guard.ours" -}}
{{- include "sluice.guard.namespaces" (dict "namespaces" (list (include "sluice.pipelinesNamespace" .))) -}}
{{- end -}}

{{/* The binding of a policy to its scope: (dict "root" $ "name" name). */}}
{{- define "sluice.guard.binding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "sluice.fullname" .root }}-{{ .name }}
  labels:
    {{- include "sluice.labels" .root | nindent 4 }}
spec:
  policyName: {{ include "sluice.fullname" .root }}-{{ .name }}
  validationActions: [Deny]
{{- end -}}

{{/* What only the agent's own account is held to; nobody else's write is looked at. */}}
{{- define "sluice.guard.byTheAgent" -}}
matchConditions:
  - name: by-the-agent
    expression: "request.userInfo.username == '{{ include "sluice.user" . }}'"
{{- end -}}

{{/* The uid of the Rollout that made an object, by its label, before and after the write. */}}
{{- define "sluice.guard.owned" -}}
- name: before
  expression: "request.operation != 'CREATE' && has(oldObject.metadata.labels) && 'sluice.dev/rollout-uid' in oldObject.metadata.labels ? oldObject.metadata.labels['sluice.dev/rollout-uid'] : ''"
- name: after
  expression: "request.operation != 'DELETE' && has(object.metadata.labels) && 'sluice.dev/rollout-uid' in object.metadata.labels ? object.metadata.labels['sluice.dev/rollout-uid'] : ''"
{{- end -}}
