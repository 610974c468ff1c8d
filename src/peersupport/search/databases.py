"""Names of databases as a person would write them in the diagram: the database, with the interface it was searched in.

An interface is told before a segment of it: "Ovid MEDLINE(R) PubMed-not-MEDLINE <2018>" is MEDLINE in Ovid, not PubMed.
"""

import re

INTERFACES = {"Ovid": r"\bovid|ovidsp|<\d{4}|<(?:present|inception)", "EBSCOhost": r"ebsco", "ProQuest": r"proquest"}
EMBASE_COM = re.compile(r"embase\.com")
DATABASES = {  # the first that fits; an interface's own segments stand under the name of the whole
    "PsycINFO": r"psyc-?info",
    "Cochrane Database of Systematic Reviews": r"cochrane database of systematic|cochrane reviews",
    "Cochrane CENTRAL": r"cochrane central|^central$|register of controlled",
    "Cochrane Library": r"cochrane",
    "Embase": r"\bembase",
    "MEDLINE": r"medline",
    "PubMed": r"pub-?med\b",
    "Scopus": r"\bscopus",
    "Web of Science": r"web of science|web of knowledge|sciences? citation index|\bwos\b|wos core|\bSSCI\b|\bSCIE?\b",
    "ClinicalTrials.gov": r"clinicaltrials\.gov",
    "Dimensions": r"^dimensions\b|dimensions\.ai",
    "The Lens": r"^(?:the )?lens(?:\.org)?$",
    "Google Scholar": r"google scholar",
    "ERIC": r"^eric$|resources information cent",
}
CODES = {  # EBSCOhost's (short) and Ovid's (long) codes of databases
    **dict.fromkeys(["psyh", "psycinfo", "psyc", "psyb", "psycho"], "PsycINFO"),
    **dict.fromkeys(["pdh", "pdha"], "APA PsycArticles"),
    "pbh": "Psychology and Behavioral Sciences Collection",
    **dict.fromkeys(["cin20", "ccm", "rzh", "c8h", "cul", "jlh", "byh", "cin"], "CINAHL"),
    **dict.fromkeys(["mdc", "cmedm", "mnh", "mdl", "medl", "ppez", "ppezv", "medline", "mesz", "prem"], "MEDLINE"),
    **dict.fromkeys(["emed", "emez", "emezd", "oemezd", "emef", "emczd"], "Embase"),
    **dict.fromkeys(["cctr", "cctrial", "chh"], "Cochrane CENTRAL"),
    **dict.fromkeys(["coch", "chk"], "Cochrane Database of Systematic Reviews"),
    **dict.fromkeys(["eric", "eue"], "ERIC"),
    **dict.fromkeys(["a9h", "ase"], "Academic Search Complete"),
    "aph": "Academic Search Premier",
    "asn": "Academic Search Ultimate",
    **dict.fromkeys(["sih", "snh", "sxi"], "SocINDEX"),
    **dict.fromkeys(["i3h", "cja"], "Criminal Justice Abstracts"),
    **dict.fromkeys(["swh", "swab"], "Social Work Abstracts"),
    "ssf": "Social Sciences Full Text",
    "hch": "Health Source: Nursing/Academic Edition",
    "ehh": "Education Research Complete",
    **dict.fromkeys(["bth", "buh"], "Business Source"),
    **dict.fromkeys(["s3h", "sph"], "SPORTDiscus"),
    **dict.fromkeys(["amed", "amedovid"], "AMED"),
    "awn": "AgeLine",
    "lxh": "Library, Information Science & Technology Abstracts",
    "ufh": "Communication & Mass Media Complete",
    "fmh": "Family & Society Studies Worldwide",
    "vth": "Violence & Abuse Abstracts",
    "8gh": "GreenFILE",
    "ddu": "OpenDissertations",
    "eoah": "E-Journals",
    "nlm": "PubMed",
}
ACCESSIONS = {  # how a database numbers its records
    "PsycINFO": r"(?:psyh-)?\d{4}-\d{5}-\d{3}",
    "Web of Science": r"(?:WOS|CCC|BCI|SCIELO|KJD|RSCI|PPRN|INSPEC|MEDLINE|BIOSIS):\w+",
    "Scopus": r"2-s2\.0-\d+",
    "Cochrane CENTRAL": r"CN-\d{8}",
    "Cochrane Database of Systematic Reviews": r"CD\d{6}(?:\.pub\d+)?",
    "Embase": r"L\d{8,10}",
    "Dimensions": r"pub\.\d+",
    "The Lens": r"\d{3}-\d{3}-\d{3}-\d{3}-\d{2}[\dX]",
    "ClinicalTrials.gov": r"NCT\d{8}",
}
WEB_OF_SCIENCE = re.compile(r"webofscience|isiknowledge|\bWOS:", re.I)


def database_name(named: str, provider: str = "", accession: str = "", links: str = "") -> str:
    """The database, with its interface in brackets where that is known: "PsycINFO (EBSCOhost)"; "" if nothing tells.

    named, provider: what the record says of both; accession: its number in the database; links: its addresses.
    """
    if EMBASE_COM.search(links):
        return "Embase"
    if WEB_OF_SCIENCE.search(f"{accession} {links} {named}"):
        return "Web of Science"
    base = _base(named, provider, accession)
    interface = _first(INTERFACES, " ".join([named, provider, *re.findall(r"//([^/\s]*(?:ovid|ebsco)[^/\s]*)", links)]))
    if interface and base and interface.lower() not in base.lower():
        return f"{base} ({interface})"
    return base or interface


def _base(named, provider, accession):
    bare = _bare(named)
    code = CODES.get(bare.lower())
    if code:
        return code
    if bare:
        by_name = _first(DATABASES, bare)
        whole = re.sub(r"^ovid\s+", "", bare, flags=re.I)
        if "ebsco" in provider.lower() and re.fullmatch(r"[a-z0-9]{3,8}", bare):
            return f"database {bare}"
        return by_name or whole
    by_number = next((name for name, form in ACCESSIONS.items() if re.fullmatch(form, accession.strip())), "")
    return by_number or CODES.get(provider.strip().lower(), "") or _first(DATABASES, provider)


def _bare(named):
    """Without years, trade marks and what else a segment's name carries."""
    named = re.sub(r"<[^>]*>?|\((?:R|TM|C)\)|[®™©]", "", named, flags=re.I)
    named = re.sub(
        r"\(?\b(?:19|20)\d{2}\b(?:\s*(?:-|–|to)\s*(?:\w+ )*(?:(?:19|20)\d{2}|present|current)\b.*)?\)?$", "", named
    )
    return " ".join(named.split()).strip(" ,;:-")


def _first(patterns, text):
    return next((name for name, pattern in patterns.items() if re.search(pattern, text, re.I)), "")


def name_in_file(stem: str) -> str:
    """The database that a file's name tells, else its words: "psycinfo.ris", "2024_scopus_2.csv", "hits_of_may.ris"."""
    return _first(DATABASES, _words(stem)) or _words(stem)


def one_voice(names: list[str], stem: str) -> list[str]:
    """The names of one file's records: a blank takes the file's one name, a database without interface the one with."""
    full = {name.split(" (")[0]: name for name in sorted(names) if " (" in name}
    voices = {full.get(name, name) for name in names} - {""}
    default = _words(stem) if len(voices) > 1 else next(iter(voices), name_in_file(stem))
    return [full.get(name, name) or default for name in names]


def _words(stem):
    return " ".join(stem.replace("_", " ").split())
