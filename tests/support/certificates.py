"""Certificates made by the openssl program, for tests that speak TLS."""

import subprocess


def _run(*words, **more):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


class Authority:
    """Signs certificates. Its own certificate is in `file`."""

    def __init__(self, directory, name="authority"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.name = directory, name
        self.file = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        _run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
             str(self.key), "-out", str(self.file), "-days", "30", "-subj", f"/CN={name}",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, algorithm="ec", not_after=None):
        """(certificate, key) of a host or a client called name, for localhost. not_after: "20200101000000Z"."""
        key, request, file = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        kind = (["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if algorithm == "ec" else [algorithm])
        _run("req", "-newkey", *kind, "-nodes", "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        if not_after:
            self._issue_until(request, file, not_after)
        else:
            _run("x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self.key), "-CAcreateserial",
                 "-days", "20", "-copy_extensions", "copy", "-out", str(file))
        return file, key

    def _issue_until(self, request, file, not_after):
        """Uses `openssl ca`, because only it can make a certificate that ends in the past."""
        base = self.directory / f"{self.name}.ca"
        base.mkdir(exist_ok=True)
        (base / "index").write_text("")
        (base / "config").write_text(
            "[ca]\ndefault_ca=a\n[a]\ncopy_extensions=copy\npolicy=p\n"
            f"database={base}/index\nnew_certs_dir={base}\nrand_serial=yes\ndefault_md=sha256\n[p]\ncommonName=supplied\n")
        _run("ca", "-batch", "-config", str(base / "config"), "-cert", str(self.file), "-keyfile", str(self.key), "-in",
             str(request), "-out", str(file), "-notext", "-startdate", "20190101000000Z", "-enddate", not_after)
