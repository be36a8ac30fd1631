{{- define "rotator.serviceAccount" -}}
{{- default .Release.Name .Values.serviceAccount.name -}}
{{- end -}}

{{- define "rotator.selector" -}}
app.kubernetes.io/name: rotator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rotator.labels" -}}
{{ include "rotator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "rotator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The configuration, with what a pod needs where it says nothing else. */}}
{{- define "rotator.config" -}}
{{- $fixed := dict "version" 1 "state_dir" "/tmp/rotator" "http" (dict "listen" "0.0.0.0:9465") -}}
{{- toYaml (merge (deepCopy .Values.config) $fixed) -}}
{{- end -}}

{{/* What the targets of a list may do: [target, …] -> rules of a Role. */}}
{{- define "rotator.rules" -}}
{{- $allowed := dict -}}
{{- $accounts := list -}}
{{- range .targets -}}
{{- $resource := eq .type "kubernetes_secret" | ternary "secrets" "configmaps" -}}
{{- $_ := set $allowed $resource (append (default list (get $allowed $resource)) .name) -}}
{{- $accounts = concat $accounts (default list .service_accounts) -}}
{{- end -}}
{{- range $resource, $names := $allowed }}
- apiGroups: [""]
  resources: [{{ $resource }}]
  resourceNames: {{ $names | uniq | sortAlpha | toJson }}
  verbs: [get, patch]
{{- if $.createObjects }}
- apiGroups: [""]
  resources: [{{ $resource }}]
  verbs: [create]
{{- end }}
{{- end }}
{{- if $accounts }}
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: {{ $accounts | uniq | sortAlpha | toJson }}
  verbs: [get, patch]
{{- end }}
{{- end -}}

{{/* The pod of every kind: dict "root" $ "args" [...] "restart" "..." "probes" true. */}}
{{- define "rotator.pod" -}}
{{- $ := .root -}}
metadata:
  labels:
    {{- include "rotator.selector" $ | nindent 4 }}
    {{- with $.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "rotator.config" $ | sha256sum }}
    {{- with $.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "rotator.serviceAccount" $ }}
  automountServiceAccountToken: true
  {{- with .restart }}
  restartPolicy: {{ . }}
  {{- else }}
  terminationGracePeriodSeconds: 15
  {{- end }}
  {{- with $.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: rotator
      image: {{ include "rotator.image" $ }}
      {{- with $.Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      command: [rotator]
      args: {{ toJson .args }}
      {{- if or $.Values.credentials.secretName $.Values.extraEnv }}
      env:
        {{- if $.Values.credentials.secretName }}
        - name: CREDENTIALS_DIRECTORY
          value: /run/credentials/rotator
        {{- end }}
        {{- with $.Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- if .probes }}
      ports:
        - name: http
          containerPort: 9465
      # Health only: a registry or GitLab that is down is no reason to restart it or to stall a
      # rollout. Whether jobs are safe, `/readyz` and the metrics tell.
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 20
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: /healthz, port: http}
        timeoutSeconds: 5
      {{- end }}
      resources:
        {{- toYaml $.Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/rotator
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if $.Values.credentials.secretName }}
        - name: credentials
          mountPath: /run/credentials/rotator
          readOnly: true
        {{- end }}
        {{- if $.Values.vaultToken.enabled }}
        - name: vault-token
          mountPath: /var/run/secrets/vault
          readOnly: true
        {{- end }}
        {{- with $.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ $.Release.Name }}
    - name: tmp
      emptyDir:
        medium: Memory
        sizeLimit: 16Mi
    {{- if $.Values.credentials.secretName }}
    - name: credentials
      secret:
        secretName: {{ $.Values.credentials.secretName }}
        defaultMode: 0440
    {{- end }}
    {{- if $.Values.vaultToken.enabled }}
    - name: vault-token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              audience: {{ $.Values.vaultToken.audience }}
              expirationSeconds: {{ $.Values.vaultToken.expirationSeconds }}
    {{- end }}
    {{- with $.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
