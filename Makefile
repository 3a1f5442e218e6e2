# What CI runs is .ci/run; these are its parts, for a working day.


.PHONY: build test short race vet generate fuzz bench bench-peers notebooks golden check

build: ## the binary, in bin/
	CGO_ENABLED=0 go build -trimpath -o bin/gopherlens ./kernel/cmd/gopherlens

test: ## everything, as the README says
	go test ./...

short: ## under 20 s
	go test -short ./...

race:
	go test -race -short ./...

vet: ## what must be clean before a commit
	gofmt -l . | tee /dev/stderr | (! grep .)
	go vet ./...
	go mod tidy -diff

generate: ## symbol tables of the packages that cells can import, and the kernels' assembly
	go generate ./kernel/interp/... ./lensapi/kernels

golden: ## pictures and transcripts that tests compare with; look at the difference before committing it
	go test ./plots ./kernel -update

bench:
	go test -run '^$$' -bench . ./lensapi/... ./cache ./kernel/...

bench-peers: build ## against PyTorch and llama.cpp, in turns; half an hour on two idle cores. PEER keeps what npm installs
	python3 .ci/bench-peers.py bin/gopherlens ../shared/tools $(if $(PEER),--peer $(PEER))

notebooks: ## run them all, outputs beside them
	for n in notebooks/*.ipynb; do case $$n in *.out.ipynb) ;; *) go run ./kernel/cmd/gopherlens run $$n || exit 1 ;; esac; done

check: ## all that CI does, from installing what it needs
	bash .ci/run
