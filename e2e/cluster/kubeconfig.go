package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User is somebody whom a kubeconfig makes the caller to the API server.
type User string

// The users that kubeconfigs are written for.
const (
	Admin       User = "admin"        // everything, by client certificate
	Tool        User = "tool"         // the tool's service account with the tool's own RBAC, by its token
	Viewer      User = "viewer"       // the ClusterRole view, by token: workloads and pods, no nodes
	Partial     User = "partial"      // as the viewer, in namespace shop alone and without jobs and cronjobs, by token
	Nobody      User = "nobody"       // known to the API server and without any right, by token
	WrongToken  User = "wrong-token"  // a token that the API server does not know
	ExpiredCert User = "expired-cert" // an administrator whose client certificate has run out
	WrongCA     User = "wrong-ca"     // an administrator who trusts another authority than the server's
)

// staticTokens are the users that the API server knows by a token from the start.
func staticTokens() []User { return []User{Viewer, Partial, Nobody} }

// Token is the token that a user shows to the API server. It can be guessed, which does no harm on loopback, and
// told apart from everything else, so that tests see it where it leaks.
func Token(u User) string { return "e2e-secret-of-" + string(u) }

// Kubeconfig is the path of a user's kubeconfig.
func (c *Cluster) Kubeconfig(u User) string {
	return filepath.Join(c.Dir, "kubeconfig", string(u)+".yaml")
}

// writeKubeconfigs writes those of all users but the service account, which does not exist yet.
func (c *Cluster) writeKubeconfigs() error {
	stranger, err := newAuthority("another authority")
	if err != nil {
		return err
	}
	hour := time.Now().Add(24 * time.Hour)
	certificates := []struct {
		user   User
		trust  *authority
		until  time.Time
		name   string
		groups []string
	}{
		{Admin, c.authority, hour, "admin", []string{"system:masters"}},
		{ExpiredCert, c.authority, time.Now().Add(-time.Hour), "admin", []string{"system:masters"}},
		{WrongCA, stranger, hour, "admin", []string{"system:masters"}},
		{"kube-controller-manager", c.authority, hour, "system:kube-controller-manager", nil},
		{"kube-scheduler", c.authority, hour, "system:kube-scheduler", nil},
		{"kwok", c.authority, hour, "kwok", []string{"system:masters"}},
		{"kube-state-metrics", c.authority, hour, "kube-state-metrics", []string{"system:masters"}},
	}
	for _, u := range certificates {
		pair, err := c.authority.client(u.name, u.until, u.groups...)
		if err != nil {
			return err
		}
		info := &clientcmdapi.AuthInfo{ClientCertificateData: pair.cert, ClientKeyData: pair.key}
		if err := c.writeKubeconfig(u.user, u.trust, info); err != nil {
			return err
		}
	}
	for _, u := range append(staticTokens(), WrongToken) {
		if err := c.writeKubeconfig(u, c.authority, &clientcmdapi.AuthInfo{Token: Token(u)}); err != nil {
			return err
		}
	}
	return nil
}

// ToolToken writes the kubeconfig of Tool, with a token that the API server gives for its service account.
func (c *Cluster) ToolToken(ctx context.Context, namespace, name string) error {
	token, err := c.ServiceAccountToken(ctx, namespace, name, nil)
	if err != nil {
		return err
	}
	return c.writeKubeconfig(Tool, c.authority, &clientcmdapi.AuthInfo{Token: token})
}

// ServiceAccountToken asks for a token, as a kubelet does for a pod that mounts one. Without seconds the API
// server decides how long it lives.
func (c *Cluster) ServiceAccountToken(ctx context.Context, namespace, name string, seconds *int64) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: seconds}}
	answer, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of service account %s/%s: %w", namespace, name, err)
	}
	return answer.Status.Token, nil
}

// CA is the certificate of the authority that the API server's own is from.
func (c *Cluster) CA() []byte { return c.authority.pem }

func (c *Cluster) writeKubeconfig(u User, trust *authority, info *clientcmdapi.AuthInfo) error {
	const cluster = "e2e"
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster] = &clientcmdapi.Cluster{Server: c.APIServerURL(), CertificateAuthorityData: trust.pem}
	config.AuthInfos[string(u)] = info
	config.Contexts[string(u)] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: string(u)}
	config.CurrentContext = string(u)
	return clientcmd.WriteToFile(*config, c.Kubeconfig(u))
}
