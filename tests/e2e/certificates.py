"""Certificates for tests, made by the openssl program: an authority, and what it or another issues."""
import subprocess


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def authority(folder, name):
    """NAME.pem and NAME.key of a new authority; returns the path of its certificate."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return folder / f"{name}.pem"


def issue(folder, by, name, subject="IP:127.0.0.1,DNS:localhost", begins=None, ends=None):
    """NAME.pem and NAME.key of a server under these names; valid for two days, or between two times (YYYYMMDDHHMMSSZ)."""
    openssl(folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\nbasicConstraints=critical,CA:FALSE\n")
    (folder / f"{name}.index").write_text("")
    (folder / f"{name}.conf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={name}.index\nnew_certs_dir=.\nrand_serial=yes\n"
                                         "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    valid = ["-startdate", begins, "-enddate", ends] if ends else ["-days", "2"]
    openssl(folder, "ca", "-batch", "-notext", "-config", f"{name}.conf", "-cert", f"{by}.pem", "-keyfile", f"{by}.key",
            "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", *valid)
    return folder / f"{name}.pem", folder / f"{name}.key"
