"""Tables of materials as spreadsheet programs write them: read as meant, or refused with what to do."""

from __future__ import annotations

import pytest

from relaxdesign.materials import write_materials
from relaxdesign.materials.catalogue import Catalogue, CatalogueError
from relaxdesign.materials.headings import read_heading
from relaxdesign.materials.numbers import read_number

HEADER = "id,name,E_GPa,nu,rho_g_cm3"
ROWS = ("steel,Steel,210,0.3,7.85", "epoxy,Epoxy,3.5,0.35,1.2")
PLAIN = "\n".join((HEADER, *ROWS))


def numbers(catalogue: Catalogue) -> list[tuple[float, float, float]]:
    return [(m.young, m.poisson, m.density) for m in catalogue.materials]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace(".", ","),
        PLAIN.replace(",", "\t").replace(".", ","),
        PLAIN.replace(",", "|"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=;"\r\n' + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        "sep=,\n" + PLAIN,
        "\n \n" + PLAIN.replace("\n", "\n\n,,,,\n") + "\n\n",
        PLAIN.replace("\n", ",,,\n") + ",,",
        PLAIN.replace(",", ", "),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(HEADER, ' "ID", Name,"E\n(GPa)", NU ,Rho_g_cm3'),
        PLAIN.replace(HEADER, "id,name,E [GPa],ν,ρ (g/cm³)"),
        PLAIN.replace(HEADER, "id,material,Young's modulus (GPa),Poisson’s ratio (-),Density [g cm-3]"),
        'id,name,E_GPa,nu,rho_g_cm3\nsteel,Steel,"210,0","0,3","7,85"\nepoxy,Epoxy,"3,5","0,35","1,2"',
        PLAIN.replace("0.35", "3.5e-1").replace("0.3,", ".30,").replace("210", "+2.1E+2"),
    ],
)  # fmt: skip
def test_the_same_table_written_in_many_ways(text):
    for content in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        catalogue = Catalogue.from_csv(content)
        assert numbers(catalogue) == [(210, 0.3, 7.85), (3.5, 0.35, 1.2)]
        assert catalogue.warnings == () and [m.id for m in catalogue.materials] == ["steel", "epoxy"]
    assert numbers(Catalogue.from_text(text)) == numbers(catalogue)


@pytest.mark.parametrize(
    ("heading", "text", "key", "value"),
    [
        ("E (GPa)", "70", "E_GPa", 70),
        ("E [MPa]", "70000", "E_GPa", 70),
        ("E_MPa", "1234.5", "E_GPa", 1.2345),
        ("E in Pa", "7e10", "E_GPa", 70),
        ("E / kPa", "50", "E_GPa", 5e-5),
        ("E-Modul (N/mm²)", "210000", "E_GPa", 210),
        ("E (psi)", "1e7", "E_GPa", 68.94757293168361),
        ("E, ksi", "10000", "E_GPa", 68.94757293168361),
        ("Young's modulus [Msi]", "10", "E_GPa", 68.94757293168361),
        ("bulk modulus (MPa)", "160000", "K_GPa", 160),
        ("K (GPa)", "160", "K_GPa", 160),
        ("k (W/(m K))", "0.2", "k_W_mK", 0.2),
        ("K (W/m·K)", "0.2", "k_W_mK", 0.2),
        ("λ [mW/(m·K)]", "17", "k_W_mK", 0.017),
        ("rho (kg/m3)", "7850", "rho_g_cm3", 7.85),
        ("Density [kg/m³]", "7850", "rho_g_cm3", 7.85),
        ("density (lb/in^3)", "0.0975", "rho_g_cm3", 2.6987907),
        ("cte (ppm/K)", "23.1", "cte_1e-6_K", 23.1),
        ("CTE [10⁻⁶/°C]", "23.1", "cte_1e-6_K", 23.1),
        ("alpha (1/K)", "2.31e-5", "cte_1e-6_K", 23.1),
        ("price (EUR/kg)", "3.5", "price_per_kg", 3.5),
        ("nu (-)", "-0.6", "nu", -0.6),
        ("nu", "\N{MINUS SIGN}0.6", "nu", -0.6),
    ],
)
def test_units_of_headings_are_converted_and_rounded_once(heading, text, key, value):
    column = read_heading(heading, 0)
    assert column is not None and column.key == key
    got = read_number(text, ".", column.factor)
    assert got == value if key != "rho_g_cm3" or "lb" not in heading else got == pytest.approx(value, rel=1e-7)


def test_all_columns_in_other_units():
    text = (
        "id;name;E (MPa);nu;rho (kg/m3);K (MPa);k (mW/(m K));cte (1/K)\n"
        "al;Aluminium;70000;0,33;2700;68627,45;235000;0,0000231\nfoam;Foam;2,5;0;30;;35;"
    )
    aluminium, foam = Catalogue.from_text(text).materials
    assert (aluminium.young, aluminium.density, aluminium.conductivity, aluminium.expansion) == (70, 2.7, 235, 23.1)
    assert aluminium.bulk == pytest.approx(68.62745, rel=1e-12)
    assert (foam.young, foam.poisson, foam.density, foam.expansion) == (0.0025, 0, 0.03, None)
    assert foam.bulk == pytest.approx(0.0025 / 3, rel=1e-12) and foam.conductivity == 0.035


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,name,E_GPa,E_GPa,nu,rho_g_cm3", "'E_GPa' is there twice"),
        ("id,name,E (MPa),E_GPa,nu,rho_g_cm3", r"'E_GPa' means the same as 'E \(MPa\)'"),
        ("id,name,E,nu,rho_g_cm3", "'E' has no unit: write E_GPa"),
        ("id,name,E (kbar),nu,rho_g_cm3", r"'E \(kbar\)' has an unknown unit; known are E_GPa: GPa, MPa"),
        ("id,name,E_GPa,nu,rho_g_cm3,k [BTU]", "unknown unit; known are K_GPa: .*; k_W_mK: "),
        ("id,name,E_GPa,nu,rho_gcm3", r"missing column\(s\) rho_g_cm3; .* is 'rho_gcm3' meant as rho_g_cm3\?"),
        ("stahl;Stahl;210;0,3;7,85", r"missing column\(s\) id, name"),
    ],
)
def test_headings_that_are_refused(header, words):
    with pytest.raises(CatalogueError, match=words) as refused:
        Catalogue.from_text(f"{header}\nsteel,Steel,210,210,0.3,7.85")
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize(
    ("header", "warning"),
    [
        (",k_W_m_K", "column 'k_W_m_K' is not known and not used; did you mean k_W_mK?"),
        (",Categorie", "column 'Categorie' is not known and not used; did you mean category?"),
        (",k", "column 'k' has no unit: write K_GPa or k_W_mK; it is not used"),
        (",supplier", "not used: column(s) 'supplier'"),
        (",", "column 6 has no heading and is not used"),
    ],
)
def test_optional_columns_that_are_not_used_are_told(header, warning):
    catalogue = Catalogue.from_text(f"{HEADER}{header}\n{ROWS[0]},50\n{ROWS[1]},0.2")
    assert catalogue.warnings == (warning,)
    assert [m.conductivity for m in catalogue.materials] == [None, None]


def test_units_that_make_a_material_stiffer_than_diamond_are_told():
    """Densities in g/cm³ under a heading in kg/m³ would make steel an aerogel."""
    catalogue = Catalogue.from_text(PLAIN.replace("rho_g_cm3", "rho (kg/m3)"))
    (warning,) = catalogue.warnings
    assert warning.startswith("steel and 1 more: E is 210 GPa at 0.00785 g/cm³") and "check the units" in warning
    with pytest.raises(CatalogueError, match=r"2 problem(.|\n)*rho_g_cm3 is 7850; .* rho \(kg/m3\)\?"):
        Catalogue.from_text(PLAIN.replace("7.85", "7850").replace("1.2", "1200"))


def test_the_shipped_catalogue_has_no_warnings():
    assert Catalogue.default().warnings == ()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("a;A;1.234,5;0,3;1",), "E_GPa is '1.234,5', with thousands in groups: write the number without them"),
        (("a;A;1 234;0,3;1",), "with thousands in groups"),
        (("a;A;1'234;0,3;1",), "with thousands in groups"),
        (("a;A;7.850;0,3;1",), "with a point, but the decimal sign of this file is the comma"),
        (("a;A;3,5;0.3;1",), "with a comma, but the decimal sign of this file is the point"),
        (("a;A;1,234;0.3;1",), "with a comma, but the decimal sign of this file is the point"),
        (("a;A;1,234;0;1",), "'1,234' can be 1234 or 1.234, and no other number of the file settles it"),
        (("a\tA\t1.234\t0\t1",), "'1.234' can be 1234 or 1.234"),
        (("a;A;210 GPa;0,3;1",), "a unit belongs into the heading"),
        (("a;A;1_0;0,3;1",), "not a number"),
        (("a;A;1e999999999;0,3;1",), "not a number"),
        (("a;A;1e999;0,3;1",), "not a number"),
        (("a;A;inf;0,3;1",), "not finite"),
        (("a,A,3,5,0,3,1,2",), "8 cells, but there are 5 headings: .* double quotes"),
        (('a,"A,5,0.3,1',), "line 2: the file cannot be read as CSV: unexpected end"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_or_not_at_all_are_refused(rows, words):
    delimiter = next(sign for sign in (";", "\t", ",") if sign in rows[0])
    with pytest.raises(CatalogueError, match=words):
        Catalogue.from_text("\n".join((HEADER.replace(",", delimiter), *rows)))


@pytest.mark.parametrize("thousandth", ["1.234", "12.345"])
def test_three_digits_after_the_point_are_decimals_where_the_file_settles_it(thousandth):
    semicolons = Catalogue.from_text(f"{HEADER};\n".replace(",", ";") + f"a;A;{thousandth};0.3;1")
    commas = Catalogue.from_text(f"{HEADER}\na,A,{thousandth},0,1")
    assert semicolons.materials[0].young == commas.materials[0].young == float(thousandth)


def test_a_typographic_minus_is_one():
    text = f"{HEADER}\na,A,5,\N{MINUS SIGN}0.6,1".replace(",", ";").replace(".", ",")
    assert numbers(Catalogue.from_text(text)) == [(5, -0.6, 1)]


def test_files_of_other_encodings():
    text = PLAIN.replace(",Steel,", ",Stahl für Öfen,")
    catalogue = Catalogue.from_csv(text.encode("cp1252"))
    assert catalogue.materials[0].name == "Stahl für Öfen"
    assert catalogue.warnings == ("the file is not UTF-8 and was read as Windows-1252: check 'für'",)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        again = Catalogue.from_csv(text.encode(encoding))
        assert again.materials[0].name == "Stahl für Öfen" and again.warnings == ()
    for content, words in (
        (text.encode("utf-16-le"), "save it as CSV"),
        (b"PK\x03\x04" + bytes(range(256)), "workbook .* save the sheet as CSV"),
        (text.encode("utf-16")[:-1], "save it as CSV"),
        (b"id,name\x81\xff", "save it as CSV"),
        (b"", "missing column"),
        (f"{HEADER}\n\n".encode(), "no rows"),
    ):
        with pytest.raises(CatalogueError, match=words):
            Catalogue.from_csv(content)


def test_many_bad_rows_are_ten_and_a_count():
    text = HEADER + "".join(f"\nm{i},{'x' * 500},{'7' * 300},0.3,1" for i in range(2000))
    with pytest.raises(CatalogueError) as refused:
        Catalogue.from_text(text)
    lines = str(refused.value).splitlines()
    assert len(lines) == 12 and lines[-1].strip() == "… and 1990 more" and len(refused.value.problems) == 2000
    assert max(map(len, lines)) < 250


@pytest.mark.parametrize(
    ("heading", "currency"),
    [
        ("price_per_kg (EUR)", "EUR"),
        ("Price [€/kg]", "€"),
        ("price (INR per kg)", "INR"),
        ("price_per_kg in CHF", "CHF"),
        ("price_per_kg", ""),
    ],
)
def test_prices_keep_their_currency_when_they_are_written(heading, currency):
    text = f"id,name,E_GPa,nu,rho_g_cm3,{heading}\na,A,3,0.3,1.2,2\nb,B,300,0.2,3,\n"
    first, second = Catalogue.from_text(text).materials
    assert (first.price, first.money, second.price, second.money) == (2, currency, None, "")
    assert Catalogue.from_text(write_materials((first, second))).materials == (first, second)


def test_prices_of_substances_are_in_usd_and_several_currencies_are_told():
    shipped = Catalogue.default()
    assert {material.money for material in shipped.materials if material.price} == {"USD"}
    mixed = "id,name,E_GPa,nu,rho_g_cm3,price_per_kg,currency\na,A,3,0.3,1.2,2,EUR\nb,B,300,0.2,3,4,USD\n"
    assert any("EUR, USD" in warning for warning in Catalogue.from_text(mixed).warnings)
    assert not Catalogue.from_text(mixed.replace("USD", "EUR")).warnings
    without = Catalogue.from_text(mixed.replace(",2,EUR", ",,EUR")).materials[0]
    assert without.price is None and without.money == "", "a currency without a price says nothing"
