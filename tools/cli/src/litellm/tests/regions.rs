//! Regions and endpoints, from the file and from the environment.

use super::*;

#[test]
fn the_region_comes_from_the_environment_if_the_file_has_none() {
    let region = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).region;
    assert_eq!(region(&[]), "us-west-2");
    assert_eq!(region(&[("AWS_REGION", "eu-west-1")]), "eu-west-1");
    assert_eq!(region(&[("AWS_REGION", "")]), "us-west-2");
    assert_eq!(
        region(&[("AWS_REGION", "eu-west-1"), ("AWS_REGION_NAME", "us-east-2")]),
        "us-east-2"
    );
    let found = problems(
        BARE,
        &with(&[("AWS_REGION", "Frankfurt")]),
        SecretPolicy::MustExist,
    );
    let [Problem::File(FileProblem::Unexpected { expected, .. })] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(expected.contains("AWS_REGION"), "{expected}");
}

#[test]
fn the_first_of_three_variables_that_is_set_is_the_region() {
    let names = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];
    let values = ["eu-north-1", "ap-south-1", "sa-east-1"];
    let all: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
    for first in 0..names.len() {
        let mut environment = with(&all[first..]);
        environment.extend(names[..first].iter().map(|name| (*name, "")));
        for mode in [
            SecretPolicy::MustExist,
            SecretPolicy::MayComeLater,
            SecretPolicy::Demo,
        ] {
            let blueprint = read_text(BARE, &environment, mode).unwrap();
            assert_eq!(
                blueprint.settings.models[0].deployments[0].region, values[first],
                "{mode:?}"
            );
            assert!(
                !format!("{:?}", blueprint.notes).contains("us-west-2"),
                "{mode:?}"
            );
        }
        let wrong = with(&[(names[first], "eu_north_1")]);
        let found = problems(BARE, &wrong, SecretPolicy::MayComeLater);
        assert!(
            matches!(found.as_slice(), [Problem::File(FileProblem::Unexpected { expected, .. })] if expected.contains(names[first])),
            "{found:?}"
        );
    }
    let in_file = BARE.replace("v1:0}", "v1:0, aws_region_name: us-east-2}");
    assert_eq!(
        deployment(&in_file, &with(&all), SecretPolicy::MustExist).region,
        "us-east-2"
    );
    let by_file = format!("{BARE}environment_variables: {{AWS_DEFAULT_REGION: ca-central-1}}\n");
    assert_eq!(
        deployment(&by_file, &KEYS, SecretPolicy::MustExist).region,
        "ca-central-1"
    );
}

#[test]
fn the_environment_selects_one_of_awss_hosts_of_a_region() {
    let host = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).authority;
    let (fips, dual_stack) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    assert_eq!(
        host(&[(fips, "true")]),
        "bedrock-runtime-fips.us-west-2.amazonaws.com"
    );
    assert_eq!(
        host(&[(fips, "True"), (dual_stack, "true")]),
        "bedrock-runtime-fips.us-west-2.api.aws"
    );
    assert_eq!(host(&[(dual_stack, "TRUE")]), "bedrock-runtime.us-west-2.api.aws");
    for off in ["false", "False", ""] {
        assert_eq!(host(&[(fips, off)]), "bedrock-runtime.us-west-2.amazonaws.com");
    }
    for neither in ["1", "yes", "tru"] {
        let found = problems(BARE, &with(&[(fips, neither)]), SecretPolicy::MustExist);
        assert!(
            matches!(found.as_slice(), [Problem::File(FileProblem::Unexpected { expected, .. })] if expected.contains(fips)),
            "{found:?}"
        );
    }
}

#[test]
fn a_configured_endpoint_without_fips_is_noted_if_the_environment_selects_fips() {
    let notes = |url: &str| {
        let text = BARE.replace("v1:0}", &format!("v1:0, api_base: \"{url}\"}}"));
        let environment = with(&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_REGION", "us-east-1")]);
        format!(
            "{:?}",
            read_text(&text, &environment, SecretPolicy::MustExist)
                .unwrap()
                .notes
        )
    };
    assert!(notes("https://bedrock-runtime.us-east-1.amazonaws.com").contains("AWS_USE_FIPS_ENDPOINT"));
    assert!(notes("https://proxy.example").contains("AWS_USE_FIPS_ENDPOINT"));
    for url in [
        "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
        "https://vpce-1.bedrock-runtime-fips.us-east-1.vpce.amazonaws.com",
    ] {
        assert!(!notes(url).contains("AWS_USE_FIPS_ENDPOINT"), "{url}");
    }
}

#[test]
fn an_endpoint_variable_that_only_the_aws_sdks_read_is_noted() {
    let notes = |more: &[_]| {
        format!(
            "{:?}",
            read_text(BARE, &with(more), SecretPolicy::MustExist)
                .unwrap()
                .notes
        )
    };
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] {
        let found = notes(&[(name, "https://tops3cret.example")]);
        assert!(
            found.contains(&format!("{name} is ignored")) && !found.contains("tops3cret"),
            "{found}"
        );
        let own = ("AWS_BEDROCK_RUNTIME_ENDPOINT", "https://own.example");
        assert!(!notes(&[(name, "https://x.example"), own]).contains(name));
    }
}

#[test]
fn the_default_region_is_noted() {
    let notes = read_text(BARE, &KEYS, SecretPolicy::MustExist).unwrap().notes;
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["model_list[0].litellm_params (line 1): no region is set: us-west-2 is used"]
    );
}

#[test]
fn an_endpoint_in_the_file_takes_precedence_over_the_environments() {
    let environment = with(&[("AWS_BEDROCK_RUNTIME_ENDPOINT", "http://localhost:9101/x")]);
    let found = deployment(BARE, &environment, SecretPolicy::MustExist);
    assert_eq!(
        (found.authority.as_str(), found.base_path.as_str()),
        ("localhost:9101", "/x")
    );
    assert_eq!(found.cluster, "localhost-9101");
    let own = BARE.replace("v1:0}", "v1:0, api_base: \"https://own.example\"}");
    assert_eq!(
        deployment(&own, &environment, SecretPolicy::MustExist).authority,
        "own.example"
    );
}
