{{- define "yumai.name" -}}
{{- if contains "yumai" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-yumai{{ end }}
{{- end }}

{{- define "yumai.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The labels by which one part is found: a dict of root and part. */}}
{{- define "yumai.selector" -}}
app.kubernetes.io/name: yumai-pipelines
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "yumai.labels" -}}
{{ include "yumai.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "yumai.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "yumai.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The settings that are no secret. */}}
{{- define "yumai.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
YUMAI_UI_URL: {{ .Values.uiUrl | quote }}
{{- end }}

{{/* The pod of a part that goes on: a dict of root, part, command, ports, probe and resources. */}}
{{- define "yumai.pod" -}}
metadata:
  labels: {{- include "yumai.labels" . | nindent 4 }}
  annotations:
    # A pod with other settings is another pod.
    checksum/settings: {{ include "yumai.settings" .root | sha256sum }}
    checksum/instance: {{ tpl (.root.Files.Get "files/instance.yaml") .root | sha256sum }}
spec:
  serviceAccountName: {{ include "yumai.name" .root }}
  automountServiceAccountToken: {{ .reachesKubernetes }}
  securityContext: {{- include "yumai.podSecurity" .root | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .part }}
      image: {{ include "yumai.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: {{ toJson .command }}
      securityContext: {{- include "yumai.containerSecurity" .root | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "yumai.name" .root }}-settings
        - secretRef:
            name: {{ .root.Values.secret }}
      env:
        # The image of the runs is that of the code location.
        - name: DAGSTER_CURRENT_IMAGE
          value: {{ include "yumai.image" .root }}
      {{- with .port }}
      ports:
        - containerPort: {{ . }}
      {{- end }}
      {{- with .ready }}
      readinessProbe: {{- toYaml . | nindent 8 }}
      {{- end }}
      livenessProbe: {{- toYaml .alive | nindent 8 }}
      resources: {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - name: instance
          mountPath: /dagster
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: instance
      configMap:
        name: {{ include "yumai.name" .root }}-instance
    - name: tmp
      emptyDir: {}
{{- end }}
