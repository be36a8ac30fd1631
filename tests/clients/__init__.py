"""The programs that read a docker config: example documents, and the programs themselves."""
