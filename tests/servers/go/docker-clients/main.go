// Asks the libraries that Docker, crane and oras are built on which login they would use.
//
// It reads one question a line from standard input (JSON) and answers each on a line of its own.
// DIRECTORY (the only argument) is where it puts each document.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

const (
	hub      = "https://index.docker.io/v1/"
	variable = "DOCKER_AUTH_CONFIG"
)

// Question names a client, a document and a registry; the client is asked so many times, as some
// answers depend on chance. File is what lies in the file where the document is the variable's.
type Question struct {
	Client   string `json:"client"`
	Document string `json:"document"`
	File     string `json:"file"`
	Host     string `json:"host"`
	Times    int    `json:"times"`
}

// Answer holds each user name that the client would send (empty: none), sorted, and what it printed
// or returned as an error.
type Answer struct {
	Users []string `json:"users"`
	Error string   `json:"error"`
}

// Asks a client once; the document lies in the directory already.
type client func(directory string, question Question) (string, error)

var clients = map[string]client{
	"docker-file":     docker,
	"docker-variable": docker,
	"crane":           crane,
	"oras":            oras,
}

func docker(directory string, question Question) (string, error) {
	printed, err := os.CreateTemp("", "stderr")
	if err != nil {
		return "", err
	}
	defer os.Remove(printed.Name())
	standard := os.Stderr
	os.Stderr = printed
	config.SetDir(directory)
	file := config.LoadDefaultConfigFile(printed)
	// moby asks for a registry's host, and for the Hub under its historical name.
	found, err := file.GetAuthConfig(question.Host)
	os.Stderr = standard
	if err != nil {
		return "", err
	}
	if _, err := printed.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if text, _ := io.ReadAll(printed); len(text) > 0 {
		err = fmt.Errorf("%s", text)
	}
	if found.Username == "" {
		return found.IdentityToken + found.RegistryToken, err
	}
	return found.Username, err
}

func crane(directory string, question Question) (string, error) {
	os.Setenv("HOME", directory)
	os.Setenv("DOCKER_CONFIG", directory)
	host := question.Host
	if host == hub {
		host = name.DefaultRegistry
	}
	registry, err := name.NewRegistry(host, name.Insecure)
	if err != nil {
		return "", err
	}
	authenticator, err := authn.DefaultKeychain.Resolve(registry)
	if err != nil {
		return "", err
	}
	found, err := authenticator.Authorization()
	if err != nil {
		return "", err
	}
	if found.Username == "" {
		return found.IdentityToken + found.RegistryToken, nil
	}
	return found.Username, nil
}

func oras(directory string, question Question) (string, error) {
	store, err := credentials.NewStore(filepath.Join(directory, "config.json"), credentials.StoreOptions{})
	if err != nil {
		return "", err
	}
	found, err := store.Get(context.Background(), question.Host)
	if err != nil {
		return "", err
	}
	if found.Username == "" {
		return found.RefreshToken + found.AccessToken, nil
	}
	return found.Username, nil
}

func ask(directory string, question Question) (Answer, error) {
	document := question.Document
	os.Unsetenv(variable)
	if question.Client == "docker-variable" {
		if err := os.Setenv(variable, document); err != nil {
			return Answer{}, err
		}
		document = question.File
	}
	if err := os.WriteFile(filepath.Join(directory, "config.json"), []byte(document), 0o600); err != nil {
		return Answer{}, err
	}
	answer := Answer{Users: []string{}}
	for range max(1, question.Times) {
		user, err := clients[question.Client](directory, question)
		if err != nil {
			answer.Error = err.Error()
		}
		if !slices.Contains(answer.Users, user) {
			answer.Users = append(answer.Users, user)
		}
	}
	slices.Sort(answer.Users)
	return answer, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var question Question
		err := json.Unmarshal(lines.Bytes(), &question)
		if err == nil {
			var answer Answer
			answer, err = ask(os.Args[1], question)
			if err == nil {
				err = answers.Encode(answer)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
