package main

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/rightsize/rightsize/testdata/promserver"
)

// clusters writes a kubeconfig of API servers with a context each, whose names say what services they have: one,
// several or no Prometheus; services that may not be listed (forbidden); one whose proxy may not be used (noproxy).
// Their service proxies lead to prometheus.
func clusters(t *testing.T, prometheus http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	config := clientcmdapi.NewConfig()
	config.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: clusterToken}
	for name, services := range map[string][]corev1.Service{
		"one": {prometheusService("monitoring")}, "several": {prometheusService("monitoring"), prometheusService("team-b")},
		"none": {}, "forbidden": nil, "noproxy": {prometheusService("monitoring")},
	} {
		mux.Handle("/"+name+"/", http.StripPrefix("/"+name, apiServer(services, name == "noproxy", prometheus)))
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: "me"}
	}
	server := httptest.NewTLSServer(mux) // client-go shows a token to nobody without TLS
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name := range config.Contexts {
		config.Clusters[name] = &clientcmdapi.Cluster{Server: server.URL + "/" + name, CertificateAuthorityData: authority}
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

const clusterToken = "cluster-t0ken-word"

func prometheusService(namespace string) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus-k8s", Labels: map[string]string{
			"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "prometheus",
		}},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "web", Port: 9090}, {Name: "reloader-web", Port: 8080}}},
	}
}

// apiServer is as much of one as discovery and doctor ask. Its service proxy takes the token away, as the real one does.
func apiServer(services []corev1.Service, noProxy bool, prometheus http.Handler) http.Handler {
	const proxy = "/api/v1/namespaces/monitoring/services/http:prometheus-k8s:9090/proxy"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, proxied := strings.CutPrefix(r.URL.Path, proxy)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+clusterToken:
			refuse(w, http.StatusUnauthorized, "who are you?")
		case proxied && noProxy:
			refuse(w, http.StatusForbidden, `services "http:prometheus-k8s:9090" is forbidden: User "me" cannot create resource "services/proxy" in API group "" in the namespace "monitoring"`)
		case proxied:
			r.Header.Del("Authorization")
			r.URL.Path = promserver.Prefix + path
			prometheus.ServeHTTP(w, r)
		case r.URL.Path == "/api/v1/services" && services == nil:
			refuse(w, http.StatusForbidden, "services is forbidden")
		case r.URL.Path == "/api/v1/services":
			reply(w, http.StatusOK, corev1.ServiceList{TypeMeta: metav1.TypeMeta{Kind: "ServiceList", APIVersion: "v1"}, Items: services})
		case r.URL.Path == "/api/v1/namespaces/monitoring/services/prometheus-k8s" && services == nil:
			refuse(w, http.StatusForbidden, "services is forbidden")
		case r.URL.Path == "/api/v1/namespaces/monitoring/services/prometheus-k8s":
			service := prometheusService("monitoring")
			service.TypeMeta = metav1.TypeMeta{Kind: "Service", APIVersion: "v1"}
			reply(w, http.StatusOK, service)
		case r.URL.Path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
			reply(w, http.StatusCreated, authorizationv1.SelfSubjectAccessReview{
				TypeMeta: metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: "authorization.k8s.io/v1"},
				Status:   authorizationv1.SubjectAccessReviewStatus{Allowed: services != nil},
			})
		default:
			refuse(w, http.StatusNotFound, "there is no "+r.URL.Path)
		}
	})
}

func refuse(w http.ResponseWriter, code int, message string) {
	reply(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Message: message,
		Reason: map[int]metav1.StatusReason{401: metav1.StatusReasonUnauthorized, 403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound}[code],
	})
}

func reply(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

// In a pod the server is asked by its name in the cluster's DNS; a kubeconfig wins over being in one.
func TestInPod(t *testing.T) {
	o := options{}
	o.setDefaults()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	if o.inPod() || o.hasCluster() {
		t.Error("taken for a pod without a token")
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["a"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	if err := os.Setenv("KUBECONFIG", file); err != nil { // put back by Setenv above
		t.Fatal(err)
	}
	o.setDefaults()
	if o.inPod() || !o.hasCluster() {
		t.Error("a kubeconfig is not taken for a cluster")
	}
}
